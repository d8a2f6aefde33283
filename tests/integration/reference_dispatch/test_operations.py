"""What keeps the pipeline whole over weeks: redrive, strays, retention, token renewal, one leader."""

from __future__ import annotations

import json
import time
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from reference_impl.dispatch import retention, store, strays
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.queue import Message
from reference_impl.dispatch.redrive import Redriven, redrive
from reference_impl.dispatch.renewal import Renewal
from reference_impl.dispatch.scheduler import Duty, Scheduler
from reference_impl.dispatch.stopping import Stop

if TYPE_CHECKING:
    from conftest import World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests


def _dead_lettered(world: World) -> None:
    """One conversion that Meta refused for good."""
    world.meta.script = lambda *_: world.error(100, 2804009)
    world.given()
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    consumer.step()
    assert world.states() == {"dead_lettered": 1}
    world.meta.script = lambda events, _: world.accepted(events)


def test_a_dead_letter_is_redriven_and_delivered(world: World) -> None:
    """With the cause mended, the operator's command brings it back, and it arrives under its own event id."""
    _dead_lettered(world)
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=1, settled=0, kept=0)
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=1)
    assert len(set(world.meta.event_ids())) == 1
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=0, settled=0, kept=0)


def test_what_dies_again_during_a_redrive_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is not mended: the command says so and ends, instead of asking Meta for ever."""
    _dead_lettered(world)
    world.meta.script = lambda *_: world.error(100, 2804009)
    relay, consumer, receive, calls = world.new_relay(), world.new_consumer(), world.dead_letters.receive, []

    def receive_later(**how: Any) -> list[Message]:
        assert len(calls) < 5, "it goes in circles"
        if calls:
            relay.move()
            consumer.step()
        calls.append(how)
        return receive(**how)  # type: ignore[no-any-return]

    monkeypatch.setattr(world.dead_letters, "receive", receive_later)
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=1, settled=0, kept=0, again=1)
    assert world.states() == {"dead_lettered": 1}
    assert world.dead_letters.hidden() == 1, "its letter is still there"


def test_a_letter_that_somebody_looks_at_is_waited_for(world: World) -> None:
    """The scheduler looks for strays among the letters and hides them for seconds: "none there" would be wrong."""
    _dead_lettered(world)
    assert len(world.dead_letters.receive(wait_s=1, visibility_s=strays._PEEK_S)) == 1
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=1, settled=0, kept=0)


def test_letters_that_somebody_else_has_in_hand_are_told(world: World) -> None:
    """Another redrive that was stopped half-way hides them for a minute: nobody is to believe that all is done."""
    _dead_lettered(world)
    assert len(world.dead_letters.receive(wait_s=1, visibility_s=60)) == 1
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=0, settled=0, kept=0, hidden=1)


def test_a_letter_of_what_has_ended_otherwise_only_goes(world: World) -> None:
    """A second letter of a delivered conversion is cleared away and sends nothing."""
    world.given()
    world_id = world.value("SELECT id::text FROM conversions")
    world.db.execute("UPDATE conversions SET state = 'delivered'")
    world.db.execute("UPDATE outbox SET sent_at = now()")
    world.dead_letters.send([world_id])
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=0, settled=1, kept=0)
    assert world.states() == {"delivered": 1}


def test_a_doubtful_letter_stays_unless_duplicates_are_accepted(world: World) -> None:
    """Perhaps counted by Meta two days ago: it is redriven only by those three words, and then it is sent."""
    _dead_lettered(world)
    world.db.execute("UPDATE conversions SET unknown_outcome = true")
    world.db.execute("UPDATE dispatch_attempts SET status = 'unknown', created_at = now() - interval '2 days'")
    world.dead_letters.send(["what is this"])
    assert redrive(world.db, world.dead_letters) == Redriven(redriven=0, settled=0, kept=2)
    assert world.states() == {"dead_lettered": 1}
    world.dead_letters.send([world.value("SELECT id::text FROM conversions")])
    assert redrive(world.db, world.dead_letters, accept_duplicates=True).redriven == 1
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=1)


def test_what_lost_its_message_is_sent_again(world: World) -> None:
    """A purged queue: the conversion that still says `queued` goes back to the outbox, and only once."""
    world.given(3)
    world.new_relay().move()
    world.sqs.purge_queue(QueueUrl=world.queue_url)
    world.eventually(lambda: world.queue.waiting() == 0, "the queue purged")
    strays.recover(world.db, world.queue, world.dead_letters, older_than_s=60)
    assert world.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0, "it was sent a moment ago"
    world.db.execute("UPDATE outbox SET sent_at = now() - interval '2 min'")
    for _ in range(2):
        strays.recover(world.db, world.queue, world.dead_letters, older_than_s=60)
    assert world.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 3
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=3)


def test_messages_that_wait_are_not_doubled(world: World) -> None:
    """All consumers are down and the queue is full: that is no loss, and nothing is added to the pile."""
    world.given(3)
    world.new_relay().move()
    world.db.execute("UPDATE outbox SET sent_at = now() - interval '2 min'")
    strays.recover(world.db, world.queue, world.dead_letters, older_than_s=60)
    assert world.value("SELECT count(*) FROM outbox") == 3


def test_what_sqs_gave_up_is_called_dead_lettered(world: World) -> None:
    """A message that crashed its consumers ends in SQS's dead letters; the database then says so too."""
    world.given()
    world.new_relay().move()
    (message,) = world.queue.receive(wait_s=1, visibility_s=30)
    world.queue.delete([message])
    world.dead_letters.send([message.conversion_id])
    world.db.execute("UPDATE outbox SET sent_at = now() - interval '2 min'")
    strays.recover(world.db, world.queue, world.dead_letters, older_than_s=60)
    assert world.states() == {"dead_lettered": 1}
    assert world.value("SELECT hold_reason FROM conversions") == "the consumer crashed too often"
    world.eventually(lambda: world.dead_letters.waiting() == 1, "the letter visible again", within_s=8)


def test_hashes_have_an_end(world: World) -> None:
    """After a month the hashes are gone, after the given days the dedupe row; what still waits is left alone."""
    world.given(2)
    world.db.execute("UPDATE conversions SET received_at = now() - interval '31 days'")
    world.db.execute(
        "UPDATE conversions SET state = 'delivered' WHERE id = (SELECT id FROM conversions ORDER BY id LIMIT 1)"
    )
    world.db.execute(
        "INSERT INTO dedupe_registry VALUES ('t1', 'stripe', 'old', 'purchase', 'e', now() - interval '201 days'), "
        "('t1', 'stripe', 'new', 'purchase', 'e', now() - interval '199 days')"
    )
    retention.tidy(world.db, now_s=time.time(), periods=retention.Periods(hashes=30, clicks=90, visits=90, dedupe=200))
    kept = world.db.execute("SELECT state, user_data = '{}' FROM conversions ORDER BY state").fetchall()
    assert kept == [("delivered", True), ("pending", False)]
    assert world.value("SELECT string_agg(sale_id, ',') FROM dedupe_registry") == "new"


def test_everything_personal_has_an_end(world: World) -> None:
    """Each on its own day, in batches however small, and what is not yet due stays."""
    now_s = time.time()
    periods = retention.Periods(hashes=30, clicks=90, visits=60, dedupe=400)
    world.given(5, state="delivered")
    world.given(3, client_sealed="sealed")
    world.given(2, state="held", paid_ago_s=8 * 86_400)
    world.db.execute(
        "UPDATE conversions SET client_expires_at = now() + interval '1 day' WHERE client_sealed = 'sealed'"
    )
    for day in range(4):
        world.db.execute(
            "INSERT INTO clicks (tenant_id, click_id, clicked_at) "
            "VALUES ('t1', %s, now() - make_interval(days => %s, hours => 1))",
            [f"c{day}", 89 + day],
        )
        world.db.execute(
            "INSERT INTO visits VALUES ('t1', %s, 'pageview', NULL, now() - make_interval(days => %s, hours => 1))",
            [f"v{day}", 59 + day],
        )
    gone = retention.tidy(world.db, now_s=now_s, periods=periods, batch=2)
    assert {what: count for what, count in gone.items() if count} == {"held conversions": 2, "clicks": 3, "visits": 3}
    assert world.value("SELECT count(*) FROM conversions WHERE state = 'expired'") == 2
    gone = retention.tidy(world.db, now_s=now_s + 2 * 86_400, periods=periods, batch=2)
    assert gone["sealed addresses"] == 3
    assert gone["conversions' hashes"] == 0
    gone = retention.tidy(world.db, now_s=now_s + 31 * 86_400, periods=periods, batch=2)
    assert gone["conversions' hashes"] == 7
    assert not any(retention.tidy(world.db, now_s=now_s + 31 * 86_400, periods=periods, batch=2).values())


def test_retention_waits_for_nobody(world: World) -> None:
    """A row that somebody has in hand is left for the next time."""
    world.given(3, state="delivered")
    with world.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM conversions LIMIT 1 FOR UPDATE")
        periods = retention.Periods(hashes=30, clicks=90, visits=90, dedupe=400)
        gone = retention.tidy(world.db, now_s=time.time() + 31 * 86_400, periods=periods)
        assert gone["conversions' hashes"] == 2
        other.execute("COMMIT")
    assert retention.tidy(world.db, now_s=time.time() + 31 * 86_400, periods=periods)["conversions' hashes"] == 1


def test_one_scheduler_leads_and_another_takes_over(world: World) -> None:
    """While the leader lives the other does nothing; when its connection is gone, the other is the leader."""
    done: list[str] = []
    first, second = (
        Scheduler(
            session=world._own(Session(world.connect)),
            stop=world._own(Stop()),
            duties=[Duty(name="duty", every_s=0, work=lambda _, name=name: done.append(name))],
            now_s=time.time,
            tick_s=0,
        )
        for name in ("first", "second")
    )
    first.step()
    second.step()
    assert done == ["first"]
    first.session.close()
    world.eventually(lambda: second.step() is None and done[-1] == "second", "the second leading")


class _Exchange(BaseHTTPRequestHandler):
    asked: list[dict[str, list[str]]] = []  # noqa: RUF012 -- http.server makes a new handler for each request

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.asked.append({"path": [parts.path], **parse_qs(parts.query)})
        body = json.dumps({"access_token": "EAAnew", "token_type": "bearer", "expires_in": 5_183_944}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_token_is_renewed_while_it_lives(world: World) -> None:
    """What expires is exchanged and stored with its new end; the dead, the fresh and the endless are left alone."""
    now_s, day_s = 1_800_000_000, 86_400
    tokens = {
        "t1": SimpleNamespace(token="EAAold", expires_at_s=now_s + 20 * day_s),
        "dead": SimpleNamespace(token="EAAdead", expires_at_s=now_s - 1),
        "fresh": SimpleNamespace(token="EAAfresh", expires_at_s=now_s + 60 * day_s),
        "endless": SimpleNamespace(token="EAAendless", expires_at_s=None),
    }
    for name in ("dead", "fresh", "endless", "none"):
        world.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES (%s, 'UTC', '9')", [name])
    written: list[tuple[str, str, int | None]] = []
    store = SimpleNamespace(
        meta=tokens.get, put_meta=lambda name, *, token, expires_at_s: written.append((name, token, expires_at_s))
    )
    server = HTTPServer(("127.0.0.1", 0), _Exchange)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        renewal = Renewal(
            store=store,
            graph_url=f"http://127.0.0.1:{server.server_address[1]}",
            version="v24.0",
            app_id="77",
            app_secret="s",
            now_s=lambda: now_s,
        )
        assert renewal.renew_all(world.db) == 1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert written == [("t1", "EAAnew", now_s + 5_183_944)]
    (asked,) = _Exchange.asked
    assert asked["path"] == ["/v24.0/oauth/access_token"]
    assert (asked["grant_type"], asked["fb_exchange_token"]) == (["fb_exchange_token"], ["EAAold"])


def test_a_refund_during_a_failed_try_stops_the_next(world: World) -> None:
    """It came while the conversion was in flight, when nobody could stop it: the next try is not made."""
    world.meta.script = lambda *_: world.error(2, None, 500)
    world.given()
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    consumer.step()
    world.db.execute(
        "INSERT INTO dedupe_registry SELECT tenant_id, gateway, sale_id, 'refund', 'x', now() FROM conversions"
    )
    world.start(relay, consumer)
    world.wait_for_states(suppressed=1)
    assert len(world.meta.calls) == 1
    assert world.value("SELECT user_data FROM conversions") == {"em": ["0a"]}
    assert uuid.UUID(world.value("SELECT id::text FROM conversions"))


def test_a_refund_that_is_undone_between_the_claim_and_the_dispatch_stops_nothing(world: World) -> None:
    """The claim has seen the refund; its failure found nothing that was suppressed; so the dispatch looks once more."""
    world.given()
    world.db.execute(
        "INSERT INTO dedupe_registry SELECT tenant_id, gateway, sale_id, 'refund', 'x', now() FROM conversions"
    )
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    claimed = store.claim(world.db, [world.value("SELECT id FROM conversions")], lease_s=30)
    world.db.execute("DELETE FROM dedupe_registry")
    consumer.sender.dispatch(world.db, [claimed], may_begin=lambda: True)
    assert world.states() == {"pending": 1}
    world.start(relay, consumer)
    world.wait_for_states(delivered=1)
