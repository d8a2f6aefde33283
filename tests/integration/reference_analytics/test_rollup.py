"""The numbers: right after every refresh, whatever happens meanwhile; days as the tenant lives them."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from reference_impl.analytics import rollup
from reference_impl.db.migrate import migrate
from reference_impl.dispatch import retention
from tests.integration.reference_analytics.conftest import NOON, becomes, converted, day, hours, tenant

Database = psycopg.Connection[Any]
#: What the rollup must say, counted from the rows themselves.
RAW = """
SELECT c.tenant_id, (c.received_at AT TIME ZONE t.timezone)::date, c.gateway, c.kind, count(*),
       count(*) FILTER (WHERE state IN ('pending', 'queued')), count(*) FILTER (WHERE state = 'held'),
       count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'dead_lettered'),
       count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'suppressed'), count(m.conversion_id)
FROM conversions c JOIN tenants t ON t.id = c.tenant_id LEFT JOIN matches m ON m.conversion_id = c.id
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
DAILY = """
SELECT tenant_id, date, gateway, kind, total, pending, held, delivered, dead_lettered, expired, suppressed, matched
FROM analytics_daily ORDER BY 1, 2, 3, 4
"""


def agrees(db: Database) -> None:
    raw, rolled = db.execute(RAW).fetchall(), db.execute(DAILY).fetchall()
    assert rolled == raw


def test_the_first_refresh_counts_what_was_there_before(url: str) -> None:
    """A database that has lived without analytics loses nothing of its past, and the migration copies none of it."""
    migrate(url, "-1")
    with psycopg.connect(url, autocommit=True) as db:
        tenant(db, "t1")
        converted(db, state="delivered", matched=True)
        converted(db, at=NOON - hours(48))
        migrate(url)
        converted(db, gateway="hotmart")
        rollup.refresh(db)
        agrees(db)
        assert db.execute("SELECT count(*) FROM analytics_changes").fetchone() == (0,)
        converted(db)
        rollup.refresh(db)
        agrees(db)


def test_the_migration_goes_down_and_leaves_nothing(url: str) -> None:
    """A downgrade takes every table, view, function and trigger along, and webhooks still write."""
    with psycopg.connect(url, autocommit=True) as db:
        tenant(db, "t1")
        converted(db)
        rollup.refresh(db)
        migrate(url, "-1")
        left = db.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^(analytics|dashboard|v_)' UNION "
            "SELECT proname FROM pg_proc WHERE proname ~ '^analytics' UNION "
            "SELECT tgname FROM pg_trigger WHERE tgname ~ '^analytics'"
        ).fetchall()
        assert left == []
        converted(db)
        migrate(url)
        rollup.refresh(db)
        agrees(db)


def test_a_late_change_moves_a_conversion_within_its_own_day(db: Database) -> None:
    """Held on one day and delivered two days later: its day changes, and no other."""
    late = converted(db, at=NOON, state="held")
    converted(db, at=NOON + hours(48), state="delivered")
    rollup.refresh(db)
    assert (day(db, "t1", "2026-03-10")["dispatch_held"], day(db, "t1", "2026-03-10")["dispatch_success"]) == (1, 0)
    becomes(db, late, "pending")
    becomes(db, late, "queued")
    becomes(db, late, "delivered")
    rollup.refresh(db)
    first, last = day(db, "t1", "2026-03-10"), day(db, "t1", "2026-03-12")
    assert (first["total_events"], first["dispatch_held"], first["dispatch_success"]) == (1, 0, 1)
    assert (last["total_events"], last["dispatch_success"]) == (1, 1)
    agrees(db)


def test_tries_do_not_count(db: Database) -> None:
    """Ten tries for one conversion are one conversion, and a claim or a longer hold leaves no trace in the log."""
    one = converted(db)
    rollup.refresh(db)
    for _ in range(10):
        db.execute("UPDATE conversions SET attempts = attempts + 1, claimed_until = now() WHERE id = %s", [one])
        db.execute("INSERT INTO dispatch_attempts (tenant_id, conversion_id, status) VALUES ('t1', %s, 'retry')", [one])
        db.execute("UPDATE conversions SET state = CASE state WHEN 'queued' THEN 'pending' ELSE 'queued' END")
    assert db.execute("SELECT count(*) FROM analytics_changes").fetchone() == (0,)
    becomes(db, one, "delivered")
    rollup.refresh(db)
    assert db.execute("SELECT status, conversions FROM v_dispatch_summary").fetchall() == [("sent", 1)]


@pytest.mark.parametrize(
    ("zone", "at", "date"),
    [
        ("America/Sao_Paulo", datetime(2026, 3, 10, 2, 59, tzinfo=UTC), "2026-03-09"),
        ("America/Sao_Paulo", datetime(2026, 3, 10, 3, 0, tzinfo=UTC), "2026-03-10"),
        ("America/Rio_Branco", datetime(2026, 3, 10, 4, 59, tzinfo=UTC), "2026-03-09"),
        ("Asia/Kathmandu", datetime(2026, 3, 9, 18, 14, tzinfo=UTC), "2026-03-09"),
        ("Asia/Kathmandu", datetime(2026, 3, 9, 18, 15, tzinfo=UTC), "2026-03-10"),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 2, 59, tzinfo=UTC), "2018-11-03"),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 3, 0, tzinfo=UTC), "2018-11-04"),
        ("Pacific/Kiritimati", datetime(2026, 3, 9, 10, 0, tzinfo=UTC), "2026-03-10"),
    ],
)
def test_a_day_is_the_tenants(db: Database, zone: str, at: datetime, date: str) -> None:
    """Midnight is where the tenant lives, also where clocks change at midnight or zones end in a quarter of an hour."""
    tenant(db, "t1", zone)
    converted(db, at=at)
    rollup.refresh(db)
    converted(db, at=at)
    rollup.refresh(db)
    assert day(db, "t1", date)["total_events"] == 2
    agrees(db)


def test_a_zone_that_is_corrected_draws_the_days_anew(db: Database) -> None:
    """Also those whose conversions are gone by then, and a conversion that changes later moves in the new day."""
    late = converted(db, at=datetime(2026, 3, 10, 2, 0, tzinfo=UTC), state="held")
    gone = converted(db, at=datetime(2026, 3, 10, 2, 0, tzinfo=UTC), state="delivered")
    rollup.refresh(db)
    db.execute("DELETE FROM conversions WHERE id = %s", [gone])
    tenant(db, "t1", "UTC")
    becomes(db, late, "delivered")
    rollup.refresh(db)
    assert day(db, "t1", "2026-03-09") == {}
    assert day(db, "t1", "2026-03-10")["dispatch_success"] == 2


def test_a_zone_that_postgresql_does_not_know_stops_nobody(db: Database) -> None:
    """Python knows names that PostgreSQL may not; such a tenant's days are UTC's."""
    tenant(db, "odd", "Mars/Olympus")
    converted(db, "odd", at=datetime(2026, 3, 10, 2, 0, tzinfo=UTC))
    converted(db)
    rollup.refresh(db)
    assert day(db, "odd", "2026-03-10")["total_events"] == 1
    assert day(db, "t1", "2026-03-10")["total_events"] == 1


def test_history_outlives_the_rows(db: Database) -> None:
    """Deleting conversions, with their matches, changes no number; nor does retention."""
    for _ in range(3):
        converted(db, state="delivered", matched=True)
    rollup.refresh(db)
    before = day(db, "t1", "2026-03-10")
    periods = retention.Periods(hashes=30, clicks=30, visits=30, dedupe=400)
    retention.tidy(db, now_s=(NOON + hours(24 * 500)).timestamp(), periods=periods)
    db.execute("DELETE FROM conversions")
    rollup.refresh(db)
    after = day(db, "t1", "2026-03-10")
    assert {**after, "refreshed_at": None} == {**before, "refreshed_at": None}
    assert (after["total_events"], after["matched"]) == (3, 3)
    # A rebuild of the last days leaves the older ones alone.
    rollup.rebuild(db, since=NOON + hours(24))
    assert day(db, "t1", "2026-03-10")["total_events"] == 3


def test_a_tenant_that_goes_takes_its_numbers_along(db: Database) -> None:
    """Also those that are still in the log; the others' refresh goes on."""
    tenant(db, "t2")
    converted(db, "t2")
    rollup.refresh(db)
    converted(db, "t2")
    converted(db, "t1")
    db.execute("DELETE FROM tenants WHERE id = 't2'")
    rollup.refresh(db)
    assert [row[0] for row in db.execute("SELECT tenant_id FROM analytics_daily").fetchall()] == ["t1"]
    agrees(db)


def test_match_rate_is_of_purchases(db: Database) -> None:
    """Page views that are sent to Meta too are events, and no part of the match rate."""
    converted(db, matched=True)
    converted(db, matched=True)
    converted(db)
    converted(db, kind="pageview", gateway="site")
    rollup.refresh(db)
    assert db.execute("SELECT purchases, matched, match_rate::float8 FROM v_match_rate_by_tenant").fetchall() == [
        (3, 2, 66.67)
    ]
    found = day(db, "t1", "2026-03-10")
    assert (found["total_events"], found["purchases"], found["matched"]) == (4, 3, 2)
    agrees(db)


def test_a_match_that_is_found_later_counts(db: Database) -> None:
    """It belongs to the purchase's own day."""
    one = converted(db)
    rollup.refresh(db)
    db.execute("INSERT INTO matches VALUES (%s, 't1', 'c', 'email', %s)", [one, NOON + hours(30)])
    rollup.refresh(db)
    assert day(db, "t1", "2026-03-10")["matched"] == 1


def test_success_rate_is_of_what_has_ended(db: Database) -> None:
    """What waits is no failure, what was never to be sent no success."""
    for state in ("delivered", "delivered", "delivered", "dead_lettered", "held", "pending", "suppressed"):
        converted(db, state=state)
    rollup.refresh(db)
    found = day(db, "t1", "2026-03-10")
    assert (found["total_events"], found["dispatch_failed"], float(found["success_rate"])) == (7, 1, 75.0)


def test_a_state_that_is_not_known_yet_is_still_counted(db: Database) -> None:
    """A later migration may add one: the total holds, and the summary calls it `other`."""
    db.execute("ALTER TABLE conversions DROP CONSTRAINT conversions_state_check")
    converted(db, state="quarantined")
    rollup.refresh(db)
    assert db.execute("SELECT status, conversions FROM v_dispatch_summary").fetchall() == [("other", 1)]
    assert day(db, "t1", "2026-03-10")["total_events"] == 1


def test_rolled_back_means_not_counted(db: Database) -> None:
    """The log is written by the transaction that it speaks of."""
    with db.transaction(force_rollback=True):
        converted(db)
    converted(db)
    rollup.refresh(db)
    agrees(db)
    assert day(db, "t1", "2026-03-10")["total_events"] == 1


def test_what_is_committed_during_a_refresh_comes_with_the_next(db: Database, url: str) -> None:
    """A transaction that was open while the refresh ran is neither lost nor half counted."""
    rollup.refresh(db)
    with psycopg.connect(url, autocommit=True) as slow, slow.transaction():
        converted(slow, matched=True)
        rollup.refresh(db)
        assert day(db, "t1", "2026-03-10") == {}
    rollup.refresh(db)
    agrees(db)
    assert day(db, "t1", "2026-03-10")["matched"] == 1


def test_a_refresh_that_fails_halfway_changes_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log keeps what was taken, and the next refresh makes it good."""
    converted(db)
    rollup.refresh(db)
    converted(db)
    with monkeypatch.context() as broken:
        broken.setattr(rollup, "_DAYS", "SELECT 1/0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            rollup.refresh(db)
    assert db.execute("SELECT count(*) FROM analytics_changes").fetchone() == (1,)
    rollup.refresh(db)
    agrees(db)
    assert db.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_readers_and_webhooks_never_wait_for_a_refresh(db: Database, url: str) -> None:
    """While a refresh stands still in its transaction, numbers are read and conversions written."""
    converted(db)
    rollup.refresh(db)
    converted(db)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SET lock_timeout = '1s'")
        with rollup._snapshot(db):
            db.execute(rollup._APPLY)
            db.execute(rollup._FORGET_DAYS, {"tenants": ["t1"]})
            assert day(other, "t1", "2026-03-10")["total_events"] == 1
            one = converted(other)
            becomes(other, one, "delivered")
    rollup.refresh(db)
    rollup.rebuild(db)
    agrees(db)


def test_due_is_by_the_last_refresh_whoever_made_it(db: Database) -> None:
    """Not by when this process began: a new leader keeps the rhythm, and numbers never grow older than it."""
    assert rollup.refresh_if_due(db, every_s=240) is not None
    assert rollup.refresh_if_due(db, every_s=240) is None
    db.execute("UPDATE analytics_state SET refreshed_at = now() - interval '241 s'")
    assert rollup.refresh_if_due(db, every_s=240) is not None


def test_nothing_to_do_is_fresh_all_the_same(db: Database) -> None:
    """A quiet night does not make the numbers old."""
    rollup.refresh(db)
    db.execute("UPDATE analytics_state SET refreshed_at = now() - interval '1 hour'")
    rollup.refresh(db)
    assert db.execute("SELECT now() - refreshed_at < interval '1 minute' FROM analytics_state").fetchone() == (True,)


class Worker(threading.Thread):
    """One connection that inserts, moves, matches, corrects zones and rolls back, by its own random numbers."""

    def __init__(self, url: str, seed: int, steps: int, tenants: list[str], go_on: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.url, self.rng, self.steps, self.tenants, self.go_on = url, random.Random(seed), steps, tenants, go_on
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with psycopg.connect(self.url, autocommit=True) as db:
                done = 0
                while done < self.steps or (done < 20 * self.steps and self.go_on()):
                    self.step(db)
                    done += 1
        except BaseException as error:  # noqa: BLE001 -- the test asks for it
            self.failure = error

    def step(self, db: Database) -> None:
        rng = self.rng
        match rng.randrange(10):
            case 0 | 1 | 2 | 3:
                converted(
                    db,
                    rng.choice(self.tenants),
                    at=NOON + hours(rng.uniform(-60, 60)),
                    state=rng.choice(["pending", "held", "suppressed"]),
                    gateway=rng.choice(["stripe", "kiwify"]),
                    kind=rng.choice(["purchase", "purchase", "pageview"]),
                    matched=rng.random() < 0.6,
                )
            case 4 | 5 | 6 | 7:
                states = ["pending", "queued", "held", "delivered", "dead_lettered", "expired", "suppressed"]
                db.execute(
                    "UPDATE conversions SET state = %s WHERE id IN (SELECT id FROM conversions "
                    "WHERE id >= %s ORDER BY id LIMIT %s FOR UPDATE)",
                    [rng.choice(states), uuid.UUID(int=rng.getrandbits(128)), rng.randrange(1, 6)],
                )
            case 8:
                with db.transaction(force_rollback=True):
                    converted(db, rng.choice(self.tenants))
            case 9:
                zone = rng.choice(["UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Kiritimati"])
                tenant(db, rng.choice(self.tenants), zone)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_whatever_happens_at_the_same_time(url: str, db: Database, seed: int) -> None:
    """Four writers and two refreshers, one of which also rebuilds: in the end the numbers are those of the rows."""
    tenants = ["t1", "t2", "t3"]
    for name in tenants:
        tenant(db, name)
    refreshed = [0, 0]
    workers = [Worker(url, seed * 100 + number, 120, tenants, go_on=lambda: min(refreshed) <= 3) for number in range(4)]

    def keep_refreshing(number: int, rng: random.Random) -> None:
        with psycopg.connect(url, autocommit=True) as own:
            while any(one.is_alive() for one in workers):
                if number and rng.random() < 0.2:
                    rollup.rebuild(own, since=rng.choice([None, NOON, NOON - hours(7)]))
                else:
                    rollup.refresh(own)
                refreshed[number] += 1

    refreshers = [
        threading.Thread(target=keep_refreshing, args=(number, random.Random(seed)), daemon=True) for number in (0, 1)
    ]
    for one in (*workers, *refreshers):
        one.start()
    for thread in (*workers, *refreshers):
        thread.join(timeout=60)
    assert [one.failure for one in workers] == [None] * 4
    assert min(refreshed) > 3, f"the refreshes must have taken turns with the writers; they were {refreshed}"
    rollup.refresh(db)
    agrees(db)
    assert db.execute("SELECT count(*) FROM conversions").fetchone() > (100,)
