"""From the outbox to Meta, over a real PostgreSQL, a real SQS wire and real HTTP."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from reference_impl.dispatch.breaker import Pass
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.side_by_side import Helpers
from reference_impl.dispatch.store import Claimed
from reference_impl.dispatch.token import MetaToken, TokenBook

if TYPE_CHECKING:
    from conftest import World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests


def test_a_conversion_is_delivered_once(world: World) -> None:
    """It reaches Meta, its attempt is on record as `sent`, its message is gone, and the buyer's address with it."""
    world.start(world.new_relay(), world.new_consumer())
    (event_id,) = world.given()
    world.wait_for_states(delivered=1)
    world.stop_all()
    assert world.meta.event_ids() == [event_id]
    assert world.db.execute("SELECT status, http_status FROM dispatch_attempts").fetchall() == [("sent", 200)]
    assert world.value("SELECT user_data FROM conversions") == {"em": ["0a"]}
    assert world.queue.waiting() == 0
    assert world.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0


def test_the_queue_carries_the_id_and_nothing_else(world: World) -> None:
    """What stands in SQS is the conversion's id."""
    world.given()
    world.new_relay().move()
    world_id = world.value("SELECT id::text FROM conversions")
    (message,) = world.queue.receive(wait_s=1, visibility_s=1)
    assert message.conversion_id == world_id
    assert world.states() == {"queued": 1}


def test_two_relays_and_two_consumers_double_nothing(world: World) -> None:
    """Two hundred conversions through two of everything: each is sent once."""
    event_ids = world.given(200)
    world.start(world.new_relay(), world.new_relay(), world.new_consumer(), world.new_consumer())
    world.wait_for_states(delivered=200)
    world.stop_all()
    assert Counter(world.meta.event_ids()) == Counter(event_ids)
    assert len(world.meta.calls) < 200, "conversions of one tenant share requests"


def test_the_same_message_twice_is_sent_once(world: World) -> None:
    """A duplicate delivery by SQS, during and after the sending, asks Meta only once."""
    world.given()
    relay = world.new_relay()
    relay.move()
    world_id = world.value("SELECT id::text FROM conversions")
    world.queue.send([world_id, world_id])
    world.start(world.new_consumer(), world.new_consumer())
    world.wait_for_states(delivered=1)
    world.queue.send([world_id])
    world.eventually(lambda: world.queue.waiting() == 0, "an empty queue")
    world.stop_all()
    assert len(world.meta.event_ids()) == 1


def test_sqs_takes_only_some_of_a_batch(world: World) -> None:
    """What SQS lists as failed is sent again, what it took is not, and nothing is lost."""
    event_ids = world.given(10)
    moody = _MoodySqs(world.sqs)
    relay = world.new_relay(queue=Queue(moody, lambda: world.queue_url))
    world.start(relay, world.new_consumer())
    world.wait_for_states(delivered=10)
    world.stop_all()
    assert moody.failed == 3
    assert Counter(world.meta.event_ids()) == Counter(event_ids)


def test_sqs_does_not_delete_some_of_a_batch(world: World) -> None:
    """A message that SQS failed to delete comes again, finds its conversion delivered, and is deleted then."""
    world.given(5)
    consumer = world.new_consumer(visibility_s=2)
    moody = _MoodySqs(world.sqs)
    object.__setattr__(consumer, "queue", Queue(moody, lambda: world.queue_url))
    world.start(world.new_relay(), consumer)
    world.wait_for_states(delivered=5)
    world.eventually(lambda: moody.undeleted == 3 and moody.deleted == 5, "all five deleted in the end")
    world.stop_all()
    assert len(world.meta.event_ids()) == 5


def test_killed_between_metas_answer_and_the_commit(world: World) -> None:
    """The settlement never commits: the event is sent again under the same id, and delivered."""
    (event_id,) = world.given()
    world.new_relay().move()
    dying = world.new_consumer(visibility_s=2)

    def answer_and_kill(events: list[Any], _: str) -> Any:
        world.meta.script = lambda events, _: world.accepted(events)
        # The connection is gone before the answer is read: nothing that follows can commit.
        world.db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dying'")
        return world.accepted(events)

    dying.session._connect = lambda: _named(world, "dying")
    world.meta.script = answer_and_kill
    world.start(dying)
    world.wait_for_states(delivered=1)
    assert world.meta.event_ids() == [event_id, event_id]
    assert world.db.execute("SELECT status FROM dispatch_attempts").fetchall() == [("sent",)]


def test_a_relay_that_died_after_sending_doubles_nothing(world: World) -> None:
    """The row's lease runs out, the id is sent to SQS a second time, and Meta hears of it once."""
    world.given()
    relay = world.new_relay()
    from reference_impl.dispatch import outbox

    claimed = outbox.claim(relay.session.connection(), limit=10, lease_s=0.2)
    world.queue.send([entry.conversion_id for entry in claimed])
    relay.session.close()
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=1)
    world.eventually(lambda: world.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0, "the row sent")
    world.eventually(lambda: world.queue.waiting() == 0, "an empty queue")
    world.stop_all()
    assert len(world.meta.event_ids()) == 1


def test_too_old_is_expired_and_not_sent(world: World) -> None:
    """Eight days after the payment Meta would refuse the whole batch; so it is never asked."""
    world.given(1, paid_ago_s=8 * 86_400)
    (fresh,) = world.given(1)
    world.start(world.new_relay(), world.new_consumer())
    world.wait_for_states(delivered=1, expired=1)
    assert world.meta.event_ids() == [fresh]


def test_asked_to_stop_it_gives_back_what_it_has_not_begun(world: World) -> None:
    """With a call under way at the request to stop, that call is settled and the rest goes back to the outbox."""
    world.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES ('t2', 'UTC', '222')")
    world.secrets["t2"] = world.secrets["t1"]
    world.given(1, tenant="t1")
    world.given(1, tenant="t2")
    world.new_relay().move()
    consumer = world.new_consumer()

    def stop_meanwhile(events: list[Any], _: str) -> Any:
        consumer.stop.request()
        return world.accepted(events)

    world.meta.script = stop_meanwhile
    world.start(consumer)
    world.wait_for_states(delivered=1, held=1)
    world.stop_all()
    assert world.value("SELECT attempts FROM conversions WHERE state = 'held'") == 0
    assert world.value("SELECT held_until <= now() FROM conversions WHERE state = 'held'")
    assert len(world.meta.calls) == 1


def test_the_relay_wakes_at_the_notification(world: World) -> None:
    """A commit reaches SQS at once, not at the fallback."""
    relay = world.new_relay()
    object.__setattr__(relay, "fallback_s", 30.0)
    world.start(relay)
    threading.Event().wait(0.3)  # long enough for the relay to be idle; were it not, the test would pass as well
    world.given()
    world.eventually(lambda: world.states() == {"queued": 1}, "the message sent", within_s=2)


def test_what_a_slow_consumer_delivered_is_delivered_though_it_was_held_meanwhile(world: World) -> None:
    """Its lease is over and another has parked it for a breaker: it has arrived, and is not released as well."""
    (mine, other) = world.given(2)
    world.new_relay().move()
    consumer = world.new_consumer(visibility_s=30)

    def hold_meanwhile(events: list[Any], _: str) -> Any:
        world.db.execute(
            "UPDATE conversions SET state = 'held', hold_reason = 'breaker', held_until = now() + interval '1 h', "
            "claimed_until = NULL"
        )
        return world.accepted([event for event in events if event["event_id"] == mine])

    world.db.execute("UPDATE outbox SET sent_at = now()")
    world.db.execute("UPDATE conversions SET state = 'held', hold_reason = 'retry' WHERE event_id = %s", [other])
    world.meta.script = hold_meanwhile
    world.start(consumer)
    world.wait_for_states(delivered=1, held=1)
    world.stop_all()
    assert world.value("SELECT hold_reason FROM conversions WHERE event_id = %s", mine) is None
    assert world.value("SELECT hold_reason FROM conversions WHERE event_id = %s", other) == "released"
    assert world.value("SELECT held_until <= now() FROM conversions WHERE event_id = %s", other)


def test_no_tenant_waits_for_anothers_answer(world: World) -> None:
    """Their messages came together; Meta answers neither before it has been asked by both."""
    _second_tenant(world)
    both = threading.Barrier(2, timeout=10)

    def answer(events: list[Any], _: str) -> Any:
        both.wait()
        return world.accepted(events)

    world.meta.script = answer
    world.given(2, tenant="t1")
    world.given(2, tenant="t2")
    with Helpers() as helpers:
        world.start(world.new_relay(), world.new_consumer(helpers=helpers))
        world.wait_for_states(delivered=4)
        world.stop_all()
    assert sorted(world.meta.tokens) == ["EAA1", "EAA2"]


def test_two_tenants_of_one_pixel_ask_in_turn(world: World) -> None:
    """The first's probe closes the breaker before the second is looked at, which need not be held for it then."""
    _second_tenant(world, pixel="111")
    breakers, connection = world.breakers(threshold=1), world.db
    admitted = breakers.admit(connection, "111")
    assert isinstance(admitted, Pass)
    assert breakers.report(connection, "111", admitted, alive=False) == "open"
    world.given(1, tenant="t1")
    world.given(1, tenant="t2")
    world.new_relay().move()
    world.eventually(lambda: world.value("SELECT opened_at < now() - interval '0.5 s' FROM breakers"), "a probe is due")
    with Helpers() as helpers:
        world.new_consumer(helpers=helpers).step()
    assert world.states() == {"delivered": 2}


def test_a_tenant_whose_round_fails_costs_no_other_anything(world: World) -> None:
    """Its own message is left to be seen again; that of the other is settled, and gone from the queue."""
    _second_tenant(world)

    def to_event(one: Claimed) -> dict[str, Any]:
        if one.tenant_id == "t2":
            raise LookupError("no key")
        return {"event_name": one.event_name, "event_id": one.event_id}

    world.given(1, tenant="t2")
    world.given(1, tenant="t1")
    world.new_relay().move()
    consumer = world.new_consumer(visibility_s=60)
    object.__setattr__(consumer.sender, "to_event", to_event)
    with pytest.raises(LookupError):
        consumer.step()
    assert world.states() == {"delivered": 1, "queued": 1}
    assert (world.queue.waiting(), world.queue.hidden()) == (0, 1)


def test_a_secret_that_cannot_be_read_holds_its_tenant_alone(world: World) -> None:
    """For its token, not as a crash; read at last, everything is delivered."""
    _second_tenant(world)
    away = threading.Event()
    away.set()

    def read(tenant: str) -> MetaToken | None:
        if away.is_set() and tenant == "t2":
            raise ConnectionError("Secrets Manager is away")
        return world.secrets[tenant]

    world.given(1, tenant="t2")
    world.given(1, tenant="t1")
    tokens = TokenBook(read, monotonic_s=time.monotonic, recheck_s=0.2)
    world.start(world.new_relay(), world.new_consumer(visibility_s=60, tokens=tokens))
    world.wait_for_states(delivered=1, held=1)
    assert world.value("SELECT hold_reason FROM conversions WHERE tenant_id = 't2'") == "token"
    away.clear()
    world.wait_for_states(delivered=2)


def test_a_doubt_is_on_record_though_another_has_the_claim_by_now(world: World) -> None:
    """Meta may have counted it; whoever is at it has to know, or it is sent again when Meta has forgotten its id."""
    world.given()
    world.new_relay().move()

    def claim_and_cut(_: list[Any], __: str) -> None:
        world.db.execute("UPDATE conversions SET claimed_until = now() + interval '1 h'")

    world.meta.script = claim_and_cut
    world.new_consumer().step()
    assert world.db.execute("SELECT state, unknown_outcome FROM conversions").fetchall() == [("queued", True)]


def test_a_connection_that_has_ended_costs_no_message(world: World) -> None:
    """After a restart of the database each thread has one; a message that met them all would be a dead letter."""
    consumer = world.new_consumer(visibility_s=60)
    consumer.session._connect = lambda: _named(world, "idle")
    for count in (1, 2):
        world.given()
        world.new_relay().move()
        consumer.step()
        assert world.states() == {"delivered": count}
        world.db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'")


def test_without_a_database_nothing_is_received(world: World) -> None:
    """However long it is away: SQS would count each look as a crash."""
    consumer = world.new_consumer()
    world.given()
    world.new_relay().move()
    consumer.session._connect = lambda: world.db.connect("host=127.0.0.1 port=1")
    with pytest.raises(psycopg.OperationalError):
        consumer.step()
    assert (world.queue.waiting(), world.queue.hidden()) == (1, 0)


def _second_tenant(world: World, *, pixel: str = "222") -> None:
    world.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES ('t2', 'America/Sao_Paulo', %s)", [pixel])
    world.secrets["t2"] = MetaToken(value="EAA2", version="v1")


def _named(world: World, name: str) -> Any:
    connection = world.connect()
    connection.execute(f"SET application_name = '{name}'".encode())
    return connection


class _MoodySqs:
    """The first send and the first delete report three entries as failed, as SQS may inside a 200."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self.failed = self.undeleted = self.deleted = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def send_message_batch(self, **given: Any) -> Any:
        refused = given["Entries"][:3] if not self.failed else []
        self.failed += len(refused)
        answer = self._sqs.send_message_batch(**{**given, "Entries": given["Entries"][len(refused) :]})
        return {
            **answer,
            "Failed": [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in refused],
        }

    def delete_message_batch(self, **given: Any) -> Any:
        refused = given["Entries"][:3] if not self.undeleted else []
        self.undeleted += len(refused)
        rest = given["Entries"][len(refused) :]
        self.deleted += len(rest)
        answer = self._sqs.delete_message_batch(**{**given, "Entries": rest}) if rest else {"Successful": []}
        return {
            **answer,
            "Failed": [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in refused],
        }
