"""What is measured rather than counted, once a period, by one scheduler: the one that holds the lock.

Ages and counts are the database's own; a token's end is in the secret store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from reference_impl.logs import place

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

_LOCK = 4_906_014
"""Any number, the same in every scheduler: what is summed up must be told by one of them only."""
FOR_EVER_S = 90 * 86_400.0
"""Told of a token that ends later than that, or never: an alarm resolves only on a value."""
_LOOK_AGAIN_S = 240.0
"""How soon a far end is read again: who gives a tenant a short-lived token is heard of within five minutes. What ends
within `_SOON_S` is read with every period."""
_SOON_S = 2 * 86_400.0
_LONGEST_S = 3600.0
"""A scheduler that was away for longer does not count what it has missed."""
_LAG_S = 5.0
"""What was received so short a time ago may not be committed yet: it is counted with the next period."""

_BREAKER = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(last_closed_at, opened_at))), 0)::float8
FROM breakers WHERE state <> 'closed'
"""
_CONNECTIONS = """
SELECT 100.0 * count(*) / current_setting('max_connections')::float8
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
_AGE = "SELECT extract(epoch FROM clock_timestamp() - refreshed_at)::float8 FROM analytics_state"
# What Meta refuses the token of is held for it. This is how a token that was revoked long before its end is noticed.
_REFUSED = "SELECT EXISTS (SELECT FROM conversions WHERE state = 'held' AND hold_reason IN ('token', 'access'))"
_PURCHASES = """
SELECT count(*), count(m.conversion_id)
FROM dedupe_registry d
JOIN conversions c USING (tenant_id, gateway, sale_id, kind)
LEFT JOIN matches m ON m.conversion_id = c.id
WHERE d.kind = 'purchase' AND d.first_seen_at >= to_timestamp(%s) AND d.first_seen_at < to_timestamp(%s)
"""
_WAS_FINE = """
SELECT DISTINCT q.tenant_id, q.gateway FROM unnest(%s::text[], %s::text[]) AS a (tenant_id, gateway)
JOIN analytics_quarters q USING (tenant_id, gateway)
WHERE q.quarter > now() - interval '7 days' AND q.total > 0
"""


class StoredToken(Protocol):
    """A token's end, in seconds since 1970 (None: never)."""

    @property
    def expires_at_s(self) -> int | None:
        """When it dies."""
        ...


@dataclass(slots=True)
class TokenEnds:
    """When each tenant's token ends. A far end is believed for some minutes, a near one is read with each look."""

    read: Callable[[str], StoredToken | None]
    now_s: Callable[[], float]
    _known: dict[str, tuple[float, int | None]] = field(default_factory=dict, init=False)

    def seconds_left(self, tenants: list[str]) -> float:
        """Of the token that ends first; `FOR_EVER_S` at most. Raises what the secret store raises."""
        now_s = self.now_s()
        self._known = {one: self._known[one] for one in tenants if one in self._known}
        for tenant in tenants:
            if self._is_due(tenant, now_s):
                stored = self.read(tenant)
                self._known[tenant] = now_s, None if stored is None else stored.expires_at_s
        ends = [end for _, end in self._known.values() if end is not None]
        return min([FOR_EVER_S, *(end - now_s for end in ends)])

    def _is_due(self, tenant: str, now_s: float) -> bool:
        if tenant not in self._known:
            return True
        read_at_s, ends_s = self._known[tenant]
        soon = ends_s is not None and ends_s - now_s < _SOON_S
        return soon or not 0 <= now_s - read_at_s < _LOOK_AGAIN_S


@dataclass(slots=True)
class Gauges:
    """The scheduler's source; measures nothing while another scheduler does."""

    connect: Callable[[], Connection]
    tokens: TokenEnds
    now_s: Callable[[], float]
    _connection: Connection | None = field(default=None, init=False)
    _since_s: float | None = field(default=None, init=False)

    def measure(self) -> Mapping[str, float]:
        """All of them. Raises psycopg.Error while the database is away; the lock is gone then, too."""
        try:
            connection = self._leading()
            if connection is None:
                return {}
            found = self._counted(connection) | self._measured(connection)
        except psycopg.Error:
            self.close()
            raise
        try:
            found["TokenSecondsLeft"] = self._token_seconds(connection)
        except psycopg.Error:
            self.close()
            raise
        except Exception as error:  # noqa: BLE001 -- the secret store is away: the other numbers are told all the same
            log.warning("metrics: the tokens' ends could not be read: %s", place(error))
        return found

    def close(self) -> None:
        """Let the lock go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _leading(self) -> Connection | None:
        if self._connection is None or self._connection.closed:
            connection = self.connect()
            if not _one(connection, "SELECT pg_try_advisory_lock(%s)", [_LOCK]):
                connection.close()
                return None
            self._connection, self._since_s = connection, None
        return self._connection

    def _measured(self, connection: Connection) -> dict[str, float]:
        found = {
            "SecondsSinceBreakerClosed": float(_one(connection, _BREAKER)),
            "DatabaseConnectionsPercent": float(_one(connection, _CONNECTIONS)),
        }
        age_s = _one(connection, _AGE)
        if age_s is not None:
            found["AnalyticsAgeSeconds"] = float(age_s)
        return found

    def _counted(self, connection: Connection) -> dict[str, float]:
        """New since the last look; nothing at the first one, which does not know from when on to count."""
        until_s, since_s = self.now_s() - _LAG_S, self._since_s
        self._since_s = until_s
        if since_s is None or not 0 < until_s - since_s <= _LONGEST_S:
            return {}
        row = connection.execute(_PURCHASES, [since_s, until_s]).fetchone()
        assert row is not None
        purchases, matched = float(row[0]), float(row[1])
        told = {"Purchases": purchases, "PurchasesMatched": matched}
        return {name: value for name, value in told.items() if value}

    def _token_seconds(self, connection: Connection) -> float:
        if _one(connection, _REFUSED):
            return 0.0
        tenants = [row[0] for row in connection.execute("SELECT id FROM tenants ORDER BY id").fetchall()]
        return self.tokens.seconds_left(tenants)


def accounts_with_sales(connection: Connection, accounts: Set[tuple[str, str]]) -> Set[tuple[str, str]]:
    """Those of the accounts that have had a sale in the last seven days, as far as the numbers are brought up to."""
    rows = connection.execute(_WAS_FINE, [[one[0] for one in accounts], [one[1] for one in accounts]]).fetchall()
    return {(row[0], row[1]) for row in rows}


def _one(connection: Connection, query: str, values: list[Any] | None = None) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
