"""Money that goes back and comes again, told in any order, to any replica: reference_impl/db/reversals.py."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

import psycopg
import pytest

from reference_impl.db import conversions, doors, people, reversals, tenants
from reference_impl.db.conversions import Arrived, Draft, Sale
from reference_impl.domain.conversion import Buyer, Purchase, Reinstatement, Reversal, ReversalKind

NOW_S = 1_772_000_000
DAY_S = 86_400
WINDOW_S = 7 * DAY_S
EM = "0a" * 32


class World:
    """One test's database; `now_s` is the application's clock."""

    def __init__(self, url: str) -> None:
        self.url, self.now_s = url, float(NOW_S)
        self.db = psycopg.connect(url, autocommit=True)
        tenants.put(self.db, tenant="t1", pixel_id="1", timezone="UTC", dialects={"stripe": "vendor"})

    @property
    def arrived(self) -> Arrived:
        return Arrived(tenant="t1", gateway="stripe", at_s=self.now_s)

    def buys(self, sale: str = "pi_1", **user_data: Any) -> str:
        purchase = Purchase(
            sale_id=sale, paid_at_s=NOW_S - 60, amount=Decimal(10), currency="BRL", buyer=Buyer()
        )  # fmt: skip
        draft = Draft(
            id=uuid4(),
            purchase=purchase,
            user_data=user_data or {"em": [EM]},
            client=None,
            hold=False,
            window_s=WINDOW_S,
        )
        return conversions.record_purchases(self.db, [Sale(arrived=self.arrived, draft=draft)])[0]

    def back(self, at_s: int | None = None, kind: ReversalKind = "refund", sale: str = "pi_1") -> str:
        reversal = Reversal(sale_id=sale, kind=kind, happened_at_s=at_s)
        return conversions.record_reversal(self.db, self.arrived, reversal)

    def undone(
        self, at_s: int | None = None, kind: Literal["refund", "chargeback"] = "refund", sale: str = "pi_1"
    ) -> str:
        undone = Reinstatement(sale_id=sale, kind=kind, happened_at_s=at_s)
        return conversions.record_reinstatement(self.db, self.arrived, undone)

    def state(self, sale: str = "pi_1") -> tuple[str, str | None]:
        row = self.db.execute("SELECT state, hold_reason FROM conversions WHERE sale_id = %s", [sale]).fetchone()
        assert row is not None
        return row[0], row[1]

    def letters(self) -> int:
        """Rows of the outbox."""
        row = self.db.execute("SELECT count(*) FROM outbox").fetchone()
        assert row is not None
        return int(row[0])

    def eventually_waits_for_a_lock(self) -> None:
        """Return once somebody does, in this database."""
        with psycopg.connect(self.url, autocommit=True) as own:
            self._waits(own)

    def _waits(self, own: psycopg.Connection[Any]) -> None:
        deadline = time.monotonic() + 10
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not own.execute(query).fetchone():
            assert time.monotonic() < deadline, "nobody waits for a lock"


@pytest.fixture
def world(postgres: Any) -> Iterator[World]:
    """A database with tenant t1, who sells by Stripe."""
    world = World(postgres.new())
    yield world
    world.db.close()
    postgres.drop(world.url)


PENDING, GONE = ("pending", None), ("suppressed", "refund")
FAILED_ONCE = {"refund 1": 100, "failure 1": 200}
REFUNDED_TWICE = {**FAILED_ONCE, "refund 2": 300}
FAILED_TWICE = {**REFUNDED_TWICE, "failure 2": 400}


@pytest.mark.parametrize(
    ("happened", "ends"), [(FAILED_ONCE, "pending"), (REFUNDED_TWICE, "suppressed"), (FAILED_TWICE, "pending")]
)
def test_the_last_word_holds_in_whatever_order_it_is_told(world: World, happened: dict[str, int], ends: str) -> None:
    """A refund, its failure, a second refund, and the purchase: every order, each told twice at the end."""
    orders = list(itertools.permutations([*happened, "purchase"]))
    for number, order in enumerate(orders):
        sale = f"pi_{number}"

        def tell(what: str, sale: str = sale) -> None:
            if what == "purchase":
                world.buys(sale)
            else:
                how = world.back if what.startswith("refund") else world.undone
                how(NOW_S - 1000 + happened[what], sale=sale)

        for what in (*order, *order):
            tell(what)
        assert world.state(sale)[0] == ends, order
    sent = world.db.execute("SELECT count(DISTINCT conversion_id) FROM outbox").fetchone()
    assert sent is not None
    assert sent[0] >= (len(orders) if ends == "pending" else 0)


def test_in_the_same_second_the_failure_came_second(world: World) -> None:
    """There is none without a refund; told twice, each is a duplicate."""
    world.buys()
    assert [world.back(NOW_S), world.undone(NOW_S)] == ["accepted", "accepted"]
    assert [world.undone(NOW_S), world.back(NOW_S)] == ["duplicate", "duplicate"]
    assert (world.state(), world.letters()) == (PENDING, 2)


def test_what_the_vendor_gives_no_time_happened_when_it_was_told(world: World) -> None:
    """And a time in the future is now."""
    world.buys()
    world.back()
    world.now_s += 5
    world.undone(NOW_S + 900)
    assert world.state() == PENDING
    world.now_s += 5
    assert world.back() == "accepted"
    assert world.state() == GONE


@pytest.mark.parametrize(("first", "last"), [("refund", "chargeback"), ("chargeback", "refund")])
def test_every_reversal_must_be_undone(
    world: World, first: Literal["refund", "chargeback"], last: Literal["refund", "chargeback"]
) -> None:
    """Refunded and charged back: either alone is enough to stop it. A part that went back stops nothing."""
    world.buys()
    world.back()
    world.back(kind="chargeback")
    world.back(kind="partial_refund")
    world.undone(kind=first)
    assert world.state() == GONE
    world.undone(kind=last)
    assert world.state() == PENDING


@pytest.mark.parametrize("state", ["delivered", "dead_lettered", "expired"])
def test_what_has_ended_stays_as_it_is(world: World, state: str) -> None:
    """Above all what Meta has counted."""
    world.buys()
    world.back()
    world.db.execute("UPDATE conversions SET state = %s", [state])
    world.undone()
    assert (world.state()[0], world.letters()) == (state, 1)


@pytest.mark.parametrize("reason", ["no match keys", "consent denied", "consent withdrawn", "erased", None])
def test_what_something_else_has_suppressed_stays_so(world: World, reason: str | None) -> None:
    """A reversal that came as well is not the reason."""
    world.back()
    world.buys()
    world.db.execute("UPDATE conversions SET hold_reason = %s", [reason])
    world.undone()
    assert (world.state(), world.letters()) == (("suppressed", reason), 0)


def test_what_meta_could_not_match_stays_suppressed(world: World) -> None:
    """The reversal was the first reason that was found, not the only one."""
    world.back()
    world.buys(country=["0b"])
    world.undone()
    assert world.state()[0] == "suppressed"


def test_who_was_erased_stays_erased(world: World) -> None:
    """Their purchase was suppressed already, so nothing but the missing hashes tells of it."""
    world.buys()
    world.back()
    people.erase(world.db, people.Person(tenant="t1", em=EM, ph=None))
    world.undone()
    assert world.state() == GONE


@pytest.mark.parametrize("told", ["before", "meanwhile"])
def test_who_has_refused_stays_unsent(world: World, told: str) -> None:
    """Consent was denied when the purchase came, or taken back while it was suppressed."""
    consent = "denied" if told == "before" else "granted"
    world.db.execute(
        "INSERT INTO clicks (tenant_id, click_id, clicked_at, consent, em) "
        "VALUES ('t1', 'c1', to_timestamp(%s), %s, %s)",
        [NOW_S - 120, consent, EM],
    )
    world.back()
    world.buys()
    world.db.execute("UPDATE clicks SET consent = 'denied'")
    world.undone()
    assert world.state()[0] == "suppressed"


@pytest.mark.parametrize(("days", "state"), [(6.9, "pending"), (7.1, "suppressed")])
def test_what_meta_would_refuse_for_its_age_stays(world: World, days: float, state: str) -> None:
    """Seven days after the payment."""
    world.buys()
    world.back()
    world.now_s += days * DAY_S
    world.undone()
    assert world.state()[0] == state


def test_a_flag_holds_it(world: World) -> None:
    """The gateway was switched to `hold` meanwhile; `on` lets it go."""
    world.buys()
    world.back()
    doors.set_flag(world.db, tenant="t1", gateway="stripe", flag="hold")
    world.undone()
    assert (world.state(), world.letters()) == (("held", "flag"), 1)
    assert doors.set_flag(world.db, tenant="t1", gateway="stripe", flag="on") == (1, 1)


def test_other_sales_stay(world: World) -> None:
    """And the same sale of another gateway."""
    for sale in ("pi_1", "pi_2"):
        world.buys(sale)
        world.back(sale=sale)
    other = reversals.Sale("t1", "hotmart", "pi_1")
    undone = Reinstatement(sale_id="pi_1", kind="refund")
    reversals.reinstate(world.db, other, undone, at=world.arrived.at, now_s=world.now_s)
    world.undone(sale="pi_2")
    assert (world.state("pi_1"), world.state("pi_2")) == (GONE, PENDING)


def test_the_relays_are_woken(world: World) -> None:
    """When it is committed."""
    world.buys()
    world.back()
    with psycopg.connect(world.url, autocommit=True) as relay:
        relay.execute("LISTEN outbox")
        world.undone()
        assert [one.channel for one in relay.notifies(timeout=5, stop_after=1)] == ["outbox"]


GATE = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT ON conversions FOR EACH ROW EXECUTE FUNCTION gate();
"""


def test_what_is_undone_while_the_purchase_is_written_is_not_lost(world: World) -> None:
    """The purchase has seen the refund; the failure finds no purchase yet; afterwards somebody must look again."""
    world.back()
    world.db.execute(GATE)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(world.url, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(77)")
        purchase = pool.submit(world.buys)
        world.eventually_waits_for_a_lock()
        undone = Reinstatement(sale_id="pi_1", kind="refund")
        conversions.record_reinstatement(gate, world.arrived, undone)
        gate.execute("SELECT pg_advisory_unlock(77)")
        assert purchase.result(timeout=10) == "accepted"
    assert (world.state(), world.letters()) == (PENDING, 1)


def test_two_replicas_hear_of_both_at_once(world: World) -> None:
    """The refund is not committed when its failure is told: the failure waits for it, and then undoes it."""
    world.buys()
    sale, undone = reversals.Sale("t1", "stripe", "pi_1"), Reinstatement(sale_id="pi_1", kind="refund")
    with psycopg.connect(world.url, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with world.db.transaction():
            world.back(NOW_S - 9)
            told = pool.submit(
                reversals.reinstate, other, sale, undone, at=world.arrived.at, now_s=world.now_s
            )  # fmt: skip
            world.eventually_waits_for_a_lock()
        assert told.result(timeout=10) == "accepted"
    assert world.state() == PENDING
