"""The SQL around the outbox: claim, mark, release what was held, and hear of new rows.

Lease and hold times are the database's own (`now()`), never a process's clock.

States: `pending` (in the outbox) -> `queued` (SQS has it) -> `delivered`, or back through `held` -> `pending`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from reference_impl.dispatch.loops import Connection
from reference_impl.dispatch.stopping import Stop

CHANNEL: LiteralString = "outbox"
"""The name under which a commit that fills the outbox, or holds something, notifies the relays."""

SCOUTED = ("breaker", "token", "access")
"""Reasons that concern all of a tenant's conversions at once. When such a hold is over, one conversion goes
ahead; the rest follow once it is through. Ten thousand held conversions cost one message, not ten thousand."""

# `page <= false`: purchases alone, by the index, however many page events lie behind them.
_CLAIM = """
UPDATE outbox SET claimed_until = now() + make_interval(secs => %(lease_s)s)
WHERE id IN (
    SELECT id FROM outbox WHERE sent_at IS NULL AND (claimed_until IS NULL OR claimed_until <= now())
      AND page <= %(pages)s
    ORDER BY page, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, conversion_id::text, page
"""
# The consumer may have been faster than this commit: what it has already claimed or ended is no longer pending.
_SENT = """
WITH sent AS (UPDATE outbox SET sent_at = now(), claimed_until = NULL WHERE id = ANY(%s) RETURNING conversion_id)
UPDATE conversions SET state = 'queued' WHERE id IN (SELECT conversion_id FROM sent) AND state = 'pending'
"""
_REFUSED = "UPDATE outbox SET claimed_until = now() + make_interval(secs => %s) WHERE id = ANY(%s)"
_RELEASE = """
WITH due AS (
    SELECT id FROM conversions
    WHERE state = 'held' AND held_until <= now() AND coalesce(hold_reason, '') <> ALL(%(scouted)s)
    ORDER BY kind <> 'purchase', held_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), scouts AS (
    SELECT DISTINCT ON (one.tenant_id) one.id FROM conversions one
    WHERE one.state = 'held' AND one.held_until <= now() AND one.hold_reason = ANY(%(scouted)s)
      AND NOT EXISTS (
          SELECT FROM conversions other
          WHERE other.tenant_id = one.tenant_id AND other.hold_reason = ANY(%(scouted)s)
            AND (other.state IN ('pending', 'queued') OR (other.state = 'held' AND other.held_until > now()))
      )
    ORDER BY one.tenant_id, one.kind <> 'purchase', one.held_until, one.id
), released AS (
    UPDATE conversions SET state = 'pending'
    WHERE state = 'held' AND (id IN (SELECT id FROM due) OR id IN (SELECT id FROM scouts))
    RETURNING id, kind
)
INSERT INTO outbox (conversion_id, page) SELECT id, kind <> 'purchase' FROM released
"""
_NEXT_DUE = """
SELECT extract(epoch FROM min(held_until) - now())::float8 FROM conversions WHERE state = 'held' AND held_until > now()
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One claimed row."""

    id: int
    conversion_id: str
    page: bool = False
    """A page event, which must not stand in a purchase's way."""


def claim(connection: Connection, *, limit: int, lease_s: float, pages: bool = True) -> list[Entry]:
    """Take up to `limit` unsent rows for `lease_s` seconds, purchases first (and only them without `pages`); other
    relays skip them meanwhile."""
    rows = connection.execute(_CLAIM, {"limit": limit, "lease_s": lease_s, "pages": pages}).fetchall()
    return [Entry(*row) for row in sorted(rows)]


def settle(connection: Connection, *, sent: Sequence[Entry], refused: Sequence[Entry], retry_s: float) -> None:
    """Mark what SQS has taken, and give back what it refused, to be tried again in `retry_s` seconds."""
    if sent:
        connection.execute(_SENT, [[entry.id for entry in sent]])
    if refused:
        connection.execute(_REFUSED, [retry_s, [entry.id for entry in refused]])


def release_due(connection: Connection, *, limit: int = 500) -> int:
    """Put held conversions whose time has come back into the outbox; how many. A hold without an end stays."""
    return connection.execute(_RELEASE, {"scouted": list(SCOUTED), "limit": limit}).rowcount


def next_due_s(connection: Connection) -> float | None:
    """Seconds until the next hold ends; None if none is to end by time."""
    row = connection.execute(_NEXT_DUE).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def ring(connection: Connection) -> None:
    """Wake the relays, when the surrounding transaction commits."""
    connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])


@dataclass(slots=True)
class Doorbell:
    """Hears `ring`, also while another statement runs on the same connection."""

    _connection: Connection | None = field(default=None, init=False)
    _rung: bool = field(default=False, init=False)

    def attach(self, connection: Connection) -> None:
        """Listen on this connection, once."""
        if connection is not self._connection:
            connection.add_notify_handler(self._on_notify)
            connection.execute(f"LISTEN {CHANNEL}")
            self._connection = connection

    def reset(self) -> None:
        """Forget what was heard: what is looked for next covers it."""
        self._rung = False

    def wait(self, connection: Connection, stop: Stop, timeout_s: float) -> None:
        """Return at a ring, at the request to stop, or after that time.

        A ring that came in while a statement ran has been taken off the socket already, so `select` alone
        would miss it.
        """
        if not self._rung:
            stop.wait_readable(connection.fileno(), timeout_s)

    def _on_notify(self, _: psycopg.Notify) -> None:
        self._rung = True
