"""Keeps the numbers up to date: `refresh` adds what has changed, `rebuild` counts everything again.

Both work in one REPEATABLE READ transaction, under a lock that only they take:

- what they take out of `analytics_changes` and what they add are the same snapshot's, so a change that is committed
  meanwhile stays in the log for the next time, and none is counted twice;
- readers see the numbers from before or from after, and never wait.

Conversions are counted, not tries. A conversion's place is the quarter of an hour in which it was received: it
never moves, whatever becomes of it later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

_LOCK = 4_906_013
"""Any number, the same in every process: two refreshes at once would trip over each other."""

_STATES = ("pending", "held", "delivered", "dead_lettered", "expired", "suppressed")
_COUNTS = ("total", *_STATES, "matched")
_COLUMNS = ", ".join(_COUNTS)

# New tenants, and those whose zone was corrected: their days are drawn (again) from the quarters.
_ZONES = """
INSERT INTO analytics_zones (tenant_id, timezone, zone)
SELECT t.id, t.timezone, analytics_zone(t.timezone) FROM tenants t
WHERE NOT EXISTS (SELECT FROM analytics_zones z WHERE z.tenant_id = t.id AND z.timezone = t.timezone)
ON CONFLICT (tenant_id) DO UPDATE SET timezone = excluded.timezone, zone = excluded.zone
RETURNING tenant_id
"""


def _moved(state: str) -> str:
    """How a number changes with each row of the log."""
    names = "('pending', 'queued')" if state == "pending" else f"('{state}')"
    return f"count(*) FILTER (WHERE to_state IN {names}) - count(*) FILTER (WHERE from_state IN {names})"


# What belongs to a tenant that is gone is taken, and added nowhere.
_APPLY = f"""
WITH taken AS (
    DELETE FROM analytics_changes RETURNING tenant_id, quarter, gateway, kind, from_state, to_state, matched
), added AS (
    INSERT INTO analytics_quarters AS q (tenant_id, quarter, gateway, kind, {_COLUMNS})
    SELECT tenant_id, quarter, gateway, kind,
           count(*) FILTER (WHERE from_state IS NULL AND to_state IS NOT NULL),
           {", ".join(_moved(state) for state in _STATES)}, sum(matched)
    FROM taken JOIN analytics_zones USING (tenant_id)
    GROUP BY tenant_id, quarter, gateway, kind
    ON CONFLICT (tenant_id, quarter, gateway, kind) DO UPDATE
    SET {", ".join(f"{name} = q.{name} + excluded.{name}" for name in _COUNTS)}
    RETURNING tenant_id, quarter
), days AS (
    SELECT DISTINCT a.tenant_id, (a.quarter AT TIME ZONE z.zone)::date AS date
    FROM added a JOIN analytics_zones z USING (tenant_id)
)
SELECT (SELECT count(*) FROM taken), coalesce(array_agg(tenant_id), '{{}}'), coalesce(array_agg(date), '{{}}') FROM days
"""  # noqa: S608 -- made of the names above
_SUMS = ", ".join(f"sum(q.{name})::bigint" for name in _COUNTS)
_KEEP = f"""
ON CONFLICT (tenant_id, date, gateway, kind) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COUNTS)}
"""
# The wide range is for the index; whose day a quarter is, the zone alone decides.
_DAYS = f"""
INSERT INTO analytics_daily (tenant_id, date, gateway, kind, {_COLUMNS})
SELECT q.tenant_id, d.date, q.gateway, q.kind, {_SUMS}
FROM unnest(%(tenants)s::text[], %(dates)s::date[]) AS d (tenant_id, date)
JOIN analytics_zones z USING (tenant_id)
JOIN analytics_quarters q ON q.tenant_id = d.tenant_id
 AND q.quarter >= (d.date - 1)::timestamp AT TIME ZONE 'UTC' AND q.quarter < (d.date + 2)::timestamp AT TIME ZONE 'UTC'
 AND (q.quarter AT TIME ZONE z.zone)::date = d.date
GROUP BY q.tenant_id, d.date, q.gateway, q.kind {_KEEP}
"""  # noqa: S608 -- made of the names above
_FORGET_DAYS = "DELETE FROM analytics_daily WHERE tenant_id = ANY(%(tenants)s)"
_ALL_DAYS = f"""
INSERT INTO analytics_daily (tenant_id, date, gateway, kind, {_COLUMNS})
SELECT q.tenant_id, (q.quarter AT TIME ZONE z.zone)::date, q.gateway, q.kind, {_SUMS}
FROM analytics_quarters q JOIN analytics_zones z USING (tenant_id)
WHERE q.tenant_id = ANY(%(tenants)s)
GROUP BY 1, 2, 3, 4 {_KEEP}
"""  # noqa: S608 -- made of the names above
_DROP_CHANGES = "DELETE FROM analytics_changes WHERE quarter >= %(since)s"
_DROP_QUARTERS = "DELETE FROM analytics_quarters WHERE quarter >= %(since)s"
_COUNT_AGAIN = f"""
INSERT INTO analytics_quarters (tenant_id, quarter, gateway, kind, {_COLUMNS})
SELECT c.tenant_id, analytics_quarter(c.received_at), c.gateway, c.kind, count(*),
       count(*) FILTER (WHERE c.state IN ('pending', 'queued')),
       {", ".join(f"count(*) FILTER (WHERE c.state = '{state}')" for state in _STATES[1:])},
       count(m.conversion_id)
FROM conversions c LEFT JOIN matches m ON m.conversion_id = c.id
WHERE c.received_at >= %(since)s
GROUP BY 1, 2, 3, 4
"""  # noqa: S608 -- made of the names above
_DONE = """
UPDATE analytics_state SET refreshed_at = now(), changes = %s,
       took_ms = extract(epoch FROM clock_timestamp() - now()) * 1000
RETURNING changes, took_ms
"""
_DUE = """
SELECT refreshed_at IS NULL OR now() - refreshed_at >= make_interval(secs => %s) FROM analytics_state
"""
_EVER = "SELECT refreshed_at IS NOT NULL FROM analytics_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What one refresh did."""

    changes: int
    """Rows of the log that it took; for a rebuild, conversions that it counted into quarters."""
    took_ms: int


def refresh_if_due(connection: Connection, *, every_s: float) -> Refreshed | None:
    """Refresh when the last one, whoever made it, is `every_s` old. Ask often: what failed is then soon made good."""
    if not _one(connection, _DUE, [every_s]):
        return None
    return refresh(connection)


def refresh(connection: Connection) -> Refreshed:
    """Add what has changed since the last time; the first time, count what there is.

    `connection` is in autocommit mode. What it cost grows with the changes, not with the tables.
    """
    with _snapshot(connection):
        if not _one(connection, _EVER):
            return _rebuild(connection, since=None)
        moved = _moved_tenants(connection)
        row = connection.execute(_APPLY).fetchone()
        assert row is not None
        changes, tenants, dates = row
        connection.execute(_DAYS, {"tenants": tenants, "dates": dates})
        if moved:
            _draw_days(connection, moved)
        return _done(connection, changes)


def rebuild(connection: Connection, *, since: datetime | None = None) -> Refreshed:
    """Count again what was received from `since` on (rounded down to the quarter of an hour), or everything.

    What was deleted in the meantime is no longer counted: choose a `since` that is younger than what retention takes.
    """
    with _snapshot(connection):
        return _rebuild(connection, since=since)


def _rebuild(connection: Connection, *, since: datetime | None) -> Refreshed:
    _moved_tenants(connection)
    asked = since.isoformat() if since else "-infinity"
    start = _one(connection, "SELECT CASE WHEN isfinite(t) THEN analytics_quarter(t)::text ELSE t::text END "
                 "FROM (SELECT %s::timestamptz AS t) AS asked", [asked])  # fmt: skip
    values = {"since": start}
    # What this snapshot sees of the log is in what it counts.
    connection.execute(_DROP_CHANGES, values)
    connection.execute(_DROP_QUARTERS, values)
    counted = connection.execute(_COUNT_AGAIN, values).rowcount
    tenants = [row[0] for row in connection.execute("SELECT tenant_id FROM analytics_zones").fetchall()]
    _draw_days(connection, tenants)
    return _done(connection, counted)


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """One snapshot, taken only once nobody else is refreshing: a later one than theirs."""
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _moved_tenants(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute(_ZONES).fetchall()]


def _draw_days(connection: Connection, tenants: list[str]) -> None:
    values = {"tenants": tenants}
    connection.execute(_FORGET_DAYS, values)
    connection.execute(_ALL_DAYS, values)


def _done(connection: Connection, changes: int) -> Refreshed:
    row = connection.execute(_DONE, [changes]).fetchone()
    assert row is not None
    done = Refreshed(changes=row[0], took_ms=row[1])
    log.info("analytics: refreshed, %d changes in %d ms", done.changes, done.took_ms)
    return done


def _one(connection: Connection, query: str, values: list[Any] | None = None) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
