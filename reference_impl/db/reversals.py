"""Money that goes back, and money that comes again: what stops a sale that has not been sent, and what revives it.

A row of the registry with the kind `refund` or `chargeback` is what stops a sale, here, when its purchase comes and
when it is claimed for the dispatch. A refund that failed or a dispute that was won takes that row away and leaves one
of the kind `refund_undone` or `chargeback_undone`. Whichever of the two happened last holds, in whatever order they
are told: of both kinds `first_seen_at` is when it happened, by the vendor, and when it was told where the vendor does
not say. (Stripe counts in seconds and calls that no order of its events; but a refund, its failure and another refund
are days apart. In the same second it is the failure that came second: there is none without a refund.)

Whoever decides about a sale here holds the sale's lock, so that of two replicas one sees what the other has done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

import psycopg

from reference_impl.db import doors
from reference_impl.domain.conversion import Reinstatement, Reversal
from reference_impl.domain.event import has_match_keys, too_old
from reference_impl.domain.event_id import event_id

Connection = psycopg.Connection[tuple[Any, ...]]
Noted = Literal["accepted", "duplicate"]

BY_REVERSAL = ("refund", "chargeback", "reversed before it came", "reversed before the dispatch")
"""What `hold_reason` says of a conversion that a reversal alone has suppressed."""

_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 4906014))"
_LATER: LiteralString = """
INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
VALUES (%(tenant)s, %(gateway)s, %(sale_id)s, %(kind)s, %(event_id)s, %(at)s)
ON CONFLICT (tenant_id, gateway, sale_id, kind) DO UPDATE SET first_seen_at = excluded.first_seen_at
WHERE dedupe_registry.first_seen_at < excluded.first_seen_at
RETURNING xmax = 0
"""
_SINCE: LiteralString = """
SELECT EXISTS (SELECT FROM dedupe_registry WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s
               AND sale_id = %(sale_id)s AND kind = %(undone)s AND first_seen_at >= %(at)s)
"""
# What is in flight at this moment is too late to stop.
_SUPPRESS: LiteralString = """
UPDATE conversions SET state = 'suppressed', held_until = NULL, hold_reason = %(kind)s,
       client_sealed = NULL, client_expires_at = NULL,
       user_data = user_data - 'client_ip_address' - 'client_user_agent'
WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s AND sale_id = %(sale_id)s AND kind = 'purchase'
  AND state IN ('pending', 'queued', 'held') AND (claimed_until IS NULL OR claimed_until <= now())
"""
_TAKE_AWAY: LiteralString = """
DELETE FROM dedupe_registry WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s AND sale_id = %(sale_id)s
  AND kind = %(reversal)s AND first_seen_at <= %(at)s
"""
# A refusal that came while the sale was stopped has stopped nothing then, and counts now.
_STOPPED: LiteralString = """
SELECT c.id, c.event_time, c.user_data FROM conversions c
WHERE c.tenant_id = %(tenant)s AND c.gateway = %(gateway)s AND c.sale_id = %(sale_id)s AND c.kind = 'purchase'
  AND c.state = 'suppressed' AND c.hold_reason = ANY(%(reasons)s)
  AND NOT EXISTS (SELECT FROM dedupe_registry d
                  WHERE (d.tenant_id, d.gateway, d.sale_id) = (c.tenant_id, c.gateway, c.sale_id)
                    AND d.kind IN ('refund', 'chargeback'))
  AND NOT EXISTS (SELECT FROM clicks k
                  WHERE (k.tenant_id, k.click_id) = (c.tenant_id, c.click_id) AND k.consent = 'denied')
FOR UPDATE OF c
"""
_REVIVE: LiteralString = """
WITH revived AS (
    UPDATE conversions SET state = %(state)s, hold_reason = %(reason)s, held_until = NULL, claimed_until = NULL
    WHERE id = %(id)s RETURNING id, state
)
INSERT INTO outbox (conversion_id) SELECT id FROM revived WHERE state = 'pending'
"""


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale's identity."""

    tenant: str
    gateway: str
    sale_id: str

    def values(self, kind: str, at: datetime | None = None) -> dict[str, Any]:
        """As parameters of the queries above."""
        named = event_id(tenant=self.tenant, gateway=self.gateway, sale_id=self.sale_id, kind=kind)
        return {
            **{"tenant": self.tenant, "gateway": self.gateway, "sale_id": self.sale_id},
            **{"kind": kind, "event_id": named, "at": at},
        }


def reverse(connection: Connection, sale: Sale, reversal: Reversal, *, at: datetime) -> Noted:
    """Remember that money went back at that time, and stop the purchase if it has not gone out yet.

    A reversal that overtakes its purchase leaves its mark in the registry, and the purchase will see it. One that was
    undone later than it happened, though we hear of it only now, stops nothing.
    """
    values = sale.values(reversal.kind, at)
    with connection.transaction():
        _lock(connection, sale)
        if _one(connection, _SINCE, {**values, "undone": f"{reversal.kind}_undone"}):
            return "duplicate"
        # Of one that we know already only the time can be news: a second refund is not undone by the first one's end.
        if not _one(connection, _LATER, values):
            return "duplicate"
        if reversal.kind != "partial_refund":
            connection.execute(_SUPPRESS, values)
    return "accepted"


def reinstate(connection: Connection, sale: Sale, undone: Reinstatement, *, at: datetime, now_s: float) -> Noted:
    """Remember that a reversal came to nothing at that time, and send the purchase that it alone had stopped.

    `now_s` is the application's clock: a purchase that Meta would refuse for its age stays where it is.
    """
    values = sale.values(f"{undone.kind}_undone", at)
    with connection.transaction():
        _lock(connection, sale)
        if _one(connection, _LATER, values) is None:
            return "duplicate"
        connection.execute(_TAKE_AWAY, {**values, "reversal": undone.kind})
        _revive(connection, sale, now_s=now_s)
    return "accepted"


def reconsider(connection: Connection, sale: Sale, *, now_s: float | None) -> None:
    """Look once more whether a purchase has rightly been suppressed as paid back.

    Whoever has decided so by what they saw before may have done it behind the back of a reinstatement, which found
    nothing to revive yet. `now_s` None: the dispatch asks, which looks at the age itself.
    """
    with connection.transaction():
        _lock(connection, sale)
        _revive(connection, sale, now_s=now_s)


def reconsider_all(connection: Connection, conversions: Sequence[UUID]) -> None:
    """The same for conversions that the dispatch has ended as paid back."""
    found = connection.execute(
        "SELECT tenant_id, gateway, sale_id FROM conversions WHERE id = ANY(%s)", [list(conversions)]
    ).fetchall()
    for row in found:
        reconsider(connection, Sale(*row), now_s=None)


def _revive(connection: Connection, sale: Sale, *, now_s: float | None) -> None:
    """Put a suppressed purchase back on its way, if nothing but a reversal that is gone has stopped it.

    An erased buyer has left no keys. Had an earlier try an unknown outcome, the event id is still the same, and the
    dispatch knows how long that helps.
    """
    row = connection.execute(_STOPPED, {**sale.values("purchase"), "reasons": list(BY_REVERSAL)}).fetchone()
    if row is None:
        return
    one, event_time, user_data = row
    if not has_match_keys(user_data) or (now_s is not None and too_old(int(event_time.timestamp()), now_s=now_s)):
        return
    held = doors.still_held(connection, tenant=sale.tenant, gateway=sale.gateway)
    state, reason = ("held", "flag") if held else ("pending", None)
    connection.execute(_REVIVE, {"id": one, "state": state, "reason": reason})
    # Rare enough to be said inside the transaction (web/bell.py).
    connection.execute("SELECT pg_notify('outbox', '')")


def _lock(connection: Connection, sale: Sale) -> None:
    """Until the transaction ends, nobody else decides about this sale here."""
    connection.execute(_LOCK, ["\x1f".join((sale.tenant, sale.gateway, sale.sale_id))])


def _one(connection: Connection, query: LiteralString, values: dict[str, Any]) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
