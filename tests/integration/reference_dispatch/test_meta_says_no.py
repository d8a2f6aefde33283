"""What becomes of a conversion when Meta does not simply take it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from reference_impl.dispatch.queue import Message
from reference_impl.dispatch.token import MetaToken

if TYPE_CHECKING:
    from conftest import Script, World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests


def _refusing(world: World, poison: str, code: int = 100, subcode: int = 2804009) -> Script:
    def script(events: list[dict[str, Any]], _: str) -> Any:
        bad = any(event["event_id"] == poison for event in events)
        return world.error(code, subcode) if bad else world.accepted(events)

    return script


def _times(world: World, count: int, reply: Any) -> Script:
    """That reply so many times, then Meta is well."""
    left = [reply] * count

    def script(events: list[dict[str, Any]], _: str) -> Any:
        return left.pop() if left else world.accepted(events)

    return script


def _letters(world: World) -> list[Message]:
    letters: list[Message] = world.dead_letters.receive(wait_s=1, visibility_s=1)
    return letters


def test_one_poison_event_blocks_nobody(world: World) -> None:
    """Of a refused batch all but the bad event are delivered; that one is dead-lettered, with Meta's code."""
    event_ids = world.given(10)
    world.meta.script = _refusing(world, event_ids[4])
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=9, dead_lettered=1)
    world.stop_all()
    row = world.db.execute(
        "SELECT id::text, event_id, last_code, last_subcode, hold_reason FROM conversions WHERE state = 'dead_lettered'"
    ).fetchone()
    assert row is not None
    assert row[1:] == (event_ids[4], 100, 2804009, "HTTP 400, code 100/2804009")
    assert [letter.conversion_id for letter in _letters(world)] == [row[0]]
    assert world.queue.waiting() == 0
    assert world.value("SELECT state FROM breakers") in (None, "closed"), "a refused event proves Meta alive"
    sent = world.value("SELECT count(*) FROM dispatch_attempts WHERE status = 'sent'")
    assert sent == 9


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("error 1", "retry"),
        ("html 502", "unknown"),
        ("200 with an error", "retry"),
        ("too few", "unknown"),
        ("cut off", "unknown"),
        ("no answer", "unknown"),
        ("throttled", "throttled"),
    ],
)
def test_what_is_no_success_is_sent_again_under_the_same_id(world: World, reply: str, status: str) -> None:
    """Held with a time, not slept on; then sent again unchanged, and only the last try is called `sent`."""
    replies = {
        "error 1": world.error(1, 99, 500),
        "html 502": (502, {}, b"<html>Bad Gateway</html>"),
        "200 with an error": world.error(2, None, 200),
        "too few": (200, {}, b'{"events_received": 0, "messages": [], "fbtrace_id": "A"}'),
        "cut off": (200, {}, b'{"events_received": 1, "mess'),
        "no answer": None,
        "throttled": world.error(4, 1504022),
    }
    world.meta.script = _times(world, 2, replies[reply])
    (event_id,) = world.given()
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=1)
    world.stop_all()
    assert world.meta.event_ids() == [event_id] * 3
    statuses = [row[0] for row in world.db.execute("SELECT status FROM dispatch_attempts ORDER BY id").fetchall()]
    assert statuses == [status, status, "sent"]
    assert world.value("SELECT unknown_outcome FROM conversions") is (status == "unknown")
    assert world.value("SELECT attempts FROM conversions") == 3
    assert world.value("SELECT state FROM breakers") in (None, "closed")
    assert _letters(world) == []


def test_holding_is_not_retrying(world: World) -> None:
    """A conversion that must wait stands in the database with its time; its message is gone from SQS."""
    world.meta.script = _times(world, 1, world.error(2, None, 500))
    world.given()
    world.new_relay().move()
    consumer = world.new_consumer()
    consumer.step()
    assert world.states() == {"held": 1}
    assert world.value("SELECT hold_reason FROM conversions") == "retry"
    assert world.value("SELECT held_until > now() - interval '1 s' FROM conversions")
    counts = world.sqs.get_queue_attributes(
        QueueUrl=world.queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    assert set(counts.values()) == {"0"}


def test_a_throttle_keeps_everybody_away_from_the_pixel(world: World) -> None:
    """While Meta wants no calls for a minute, none is made, not even for other conversions."""
    world.meta.script = lambda *_: world.error(4, None, 400, retry_after="60")
    world.given()
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    consumer.step()
    world.given()
    relay.move()
    consumer.step()
    assert world.states() == {"held": 2}
    assert len(world.meta.calls) == 1
    assert world.value("SELECT min(held_until) > now() + interval '50 s' FROM conversions")
    assert world.value("SELECT count(*) FROM conversions WHERE attempts = 0") == 1


def test_a_dead_token_holds_and_a_new_one_resumes(world: World) -> None:
    """Nothing is dead-lettered; Meta is asked with the dead token once or twice, not once a conversion."""
    world.meta.script = lambda events, token: world.error(190, 463, 401) if token == "EAA1" else world.accepted(events)
    event_ids = world.given(30)
    world.start(world.new_relay(), world.new_consumer())
    world.eventually(
        lambda: world.value("SELECT count(*) FROM conversions WHERE hold_reason = 'token'") == 30, "all held"
    )
    asked = len(world.meta.calls)
    world.secrets["t1"] = MetaToken(value="EAA2", version="v2")
    world.wait_for_states(delivered=30)
    world.stop_all()
    assert asked <= 2
    assert _letters(world) == []
    sent_with_new = [
        event["event_id"]
        for call, token in zip(world.meta.calls, world.meta.tokens, strict=True)
        if token == "EAA2"
        for event in call
    ]
    assert Counter(sent_with_new) == Counter(event_ids)
    assert world.value("SELECT state FROM breakers") in (None, "closed"), "a dead token does not trip the breaker"


def test_a_token_renewed_meanwhile_is_used_at_once(world: World) -> None:
    """Refused with the old token while a newer version stands in the secret store: no hold, one more call."""
    consumer = world.new_consumer()
    consumer.sender.tokens.current("t1")
    world.secrets["t1"] = MetaToken(value="EAA2", version="v2")
    world.meta.script = lambda events, token: world.error(190, 463, 401) if token == "EAA1" else world.accepted(events)
    world.given()
    world.new_relay().move()
    consumer.step()
    assert world.states() == {"delivered": 1}
    assert world.meta.tokens == ["EAA1", "EAA2"]


def test_held_conversions_send_a_scout(world: World) -> None:
    """At the end of a tenant's hold one conversion goes ahead; the others stay until it is through."""
    world.secrets.clear()
    world.given(20)
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    consumer.step()
    consumer.step()
    assert world.states() == {"held": 20}
    world.db.execute("UPDATE conversions SET held_until = now()")
    from reference_impl.dispatch import outbox

    connection = relay.session.connection()
    assert outbox.release_due(connection) == 1
    assert outbox.release_due(connection) == 0, "one scout at a time"


@pytest.mark.parametrize(("code", "subcode"), [(100, 33), (10, None), (200, None), (2635, None)])
def test_a_missing_right_holds(world: World, code: int, subcode: int | None) -> None:
    """A wrong set-up is no fault of the events: they wait, none is lost, and the batch is not cut up."""
    left = [1]
    world.meta.script = lambda events, _: world.error(code, subcode) if left else world.accepted(events)
    world.given(5)
    relay, consumer = world.new_relay(), world.new_consumer()
    relay.move()
    consumer.step()
    assert world.states() == {"held": 5}
    assert len(world.meta.calls) == 1
    assert world.value("SELECT min(hold_reason) FROM conversions") == "access"


def test_the_breaker_opens_probes_and_closes(world: World) -> None:
    """After the threshold nothing is sent but one small probe at a time; with Meta well, all are delivered."""
    ill = [1]
    world.meta.script = lambda events, _: world.error(2, None, 500) if ill else world.accepted(events)
    event_ids = world.given(20)
    world.start(world.new_relay(), world.new_consumer(), world.new_consumer())
    world.eventually(lambda: world.value("SELECT state FROM breakers") == "open", "the breaker open")
    world.eventually(
        lambda: world.value("SELECT count(*) FROM conversions WHERE hold_reason = 'breaker'") == 20, "all held"
    )
    before = len(world.meta.calls)
    world.eventually(lambda: len(world.meta.calls) >= before + 2, "two probes")
    assert {len(call) for call in world.meta.calls[before:]} == {1}, "a probe is one event"
    opened = world.value("SELECT opened_at FROM breakers")
    assert world.value("SELECT last_closed_at FROM breakers") < opened, "a failed probe is no moment of being closed"
    ill.clear()
    world.wait_for_states(delivered=20)
    world.eventually(lambda: world.value("SELECT state FROM breakers") == "closed", "the breaker closed")
    world.stop_all()
    sent = [row[0] for row in world.db.execute("SELECT conversion_id FROM dispatch_attempts WHERE status = 'sent'")]
    assert len(sent) == len(set(sent)) == len(event_ids)


def test_half_open_means_one_probe_among_all_replicas(world: World) -> None:
    """Two replicas ask at the same moment: one may probe, the other waits for it."""
    store = world.breakers()
    one, two = world._own(world.connect()), world._own(world.connect())
    admitted = store.admit(one, "111")
    for _ in range(3):
        store.report(one, "111", admitted, alive=False)
    assert hasattr(store.admit(two, "111"), "wait_s"), "open"
    world.db.execute("UPDATE breakers SET opened_at = now() - interval '1 min'")
    probe = store.admit(one, "111")
    assert probe.probe is not None
    assert hasattr(store.admit(two, "111"), "wait_s"), "the probe is under way"
    assert store.report(two, "111", admitted, alive=True) == "half_open", "late news of an older batch"
    assert store.report(one, "111", probe, alive=True) == "closed"
    assert store.admit(two, "111") == admitted


def test_an_unknown_outcome_is_not_sent_again_after_47_hours(world: World) -> None:
    """Meta forgets an event id after 48 h: what it may have counted goes to the dead letters instead."""
    world.given()
    world.db.execute("UPDATE conversions SET unknown_outcome = true")
    world.db.execute(
        "INSERT INTO dispatch_attempts (tenant_id, conversion_id, status, created_at) "
        "SELECT tenant_id, id, 'unknown', now() - interval '47 h 1 min' FROM conversions"
    )
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(dead_lettered=1)
    assert world.meta.calls == []
    assert world.value("SELECT hold_reason FROM conversions") == "outcome unknown for 47 hours"


def test_a_refund_before_the_dispatch_is_respected(world: World) -> None:
    """A conversion that was suppressed while its message waited is not sent, and its message goes."""
    world.given()
    world.new_relay().move()
    world.db.execute("UPDATE conversions SET state = 'suppressed'")
    world.start(world.new_consumer())
    world.eventually(lambda: world.queue.waiting() == 0, "an empty queue")
    world.stop_all()
    assert (world.states(), world.meta.calls) == ({"suppressed": 1}, [])


def test_a_consumer_that_lost_its_lease_changes_nothing(world: World) -> None:
    """Slower than its lease, it may not hold what another has delivered meanwhile."""
    from uuid import UUID

    from reference_impl.dispatch import store

    world.given()
    conversion_id: UUID = world.value("SELECT id FROM conversions")
    slow = store.claim(world.db, [conversion_id], lease_s=0.0)
    quick = store.claim(world.db, [conversion_id], lease_s=60.0)
    assert len(slow) == len(quick) == 1
    store.hold(world.db, slow, reason="retry", waits_s=[0.0])
    assert world.states() == {"pending": 1}, "still in the quick one's hands"
    assert store.claim(world.db, [conversion_id], lease_s=60.0) == []
