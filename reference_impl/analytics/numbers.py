"""What a tenant's dashboard shows, read in one short transaction: a few hundred rows, whatever the traffic.

Everything is asked for by tenant; there is no query here without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

STALE_AFTER_S = 300.0
"""The plan's promise: data fresher than five minutes."""

_LISTED = 10

_COUNTS = """
SELECT date, gateway, kind, total, pending, held, delivered, dead_lettered + expired, suppressed, matched
FROM analytics_daily WHERE tenant_id = %(tenant)s AND date BETWEEN %(first)s AND %(last)s
ORDER BY date, gateway, kind
"""
_TROUBLE = """
SELECT received_at, gateway, kind, sale_id, state, hold_reason, last_code FROM conversions
WHERE tenant_id = %(tenant)s AND state IN ('dead_lettered', 'held') ORDER BY received_at DESC LIMIT %(listed)s
"""
_FRESH = "SELECT refreshed_at, extract(epoch FROM now() - refreshed_at)::float8 FROM analytics_state"
_ZONE = "SELECT timezone FROM tenants WHERE id = %(tenant)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many conversions stand where."""

    total: int = 0
    pending: int = 0
    held: int = 0
    delivered: int = 0
    failed: int = 0
    """Dead-lettered or expired."""
    suppressed: int = 0
    matched: int = 0

    @property
    def success_percent(self) -> float | None:
        """Of what has come to its end at Meta's door, how much was taken."""
        ended = self.delivered + self.failed
        return 100 * self.delivered / ended if ended else None

    @property
    def match_percent(self) -> float | None:
        """How many came from a known click."""
        return 100 * self.matched / self.total if self.total else None

    @classmethod
    def sum(cls, counts: Iterable[Counts]) -> Self:
        """All of them together."""
        listed = list(counts)
        return cls(**{one.name: sum(getattr(count, one.name) for count in listed) for one in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A day's conversions of one kind through one gateway."""

    date: date
    gateway: str
    kind: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A conversion that waits for somebody or something."""

    received_at: datetime
    gateway: str
    kind: str
    sale_id: str
    state: str
    reason: str | None
    code: int | None
    """Meta's, of the last try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A tenant's last days, and how old what they say is."""

    zone: str
    days: Sequence[date]
    """Every day of the period, oldest first; the last is the tenant's today."""
    buckets: Sequence[Bucket]
    trouble: Sequence[Trouble]
    """The latest; no more than ten."""
    refreshed_at: datetime | None
    """None: never yet."""
    age_s: float | None

    @property
    def stale(self) -> bool:
        """Older than was promised."""
        return self.age_s is None or self.age_s > STALE_AFTER_S


def read(connection: Connection, tenant: str, *, now: datetime, days: int, timeout_s: float) -> Numbers:
    """The last `days` days of a tenant.

    Raises:
        psycopg.errors.QueryCanceled: it took longer than `timeout_s`.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(timeout_s * 1000))])
        row = connection.execute(_ZONE, {"tenant": tenant}).fetchone()
        zone = row[0] if row else "UTC"
        last = now.astimezone(ZoneInfo(zone)).date()
        first = last - timedelta(days=days - 1)
        counted = connection.execute(_COUNTS, {"tenant": tenant, "first": first, "last": last}).fetchall()
        trouble = connection.execute(_TROUBLE, {"tenant": tenant, "listed": _LISTED}).fetchall()
        fresh = connection.execute(_FRESH).fetchone()
    names = [one.name for one in fields(Counts)]
    return Numbers(
        zone=zone,
        days=[first + timedelta(days=number) for number in range(days)],
        buckets=[
            Bucket(date=on, gateway=gateway, kind=kind, counts=Counts(**dict(zip(names, counts, strict=True))))
            for on, gateway, kind, *counts in counted
        ],
        trouble=[Trouble(**dict(zip([one.name for one in fields(Trouble)], found, strict=True))) for found in trouble],
        refreshed_at=fresh[0] if fresh else None,
        age_s=fresh[1] if fresh else None,
    )
