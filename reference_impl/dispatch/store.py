"""The SQL around a conversion on its way to Meta: claim, deliver, hold, bury. Each settlement is one transaction.

A claim is a lease by the database's clock. Its end (`claimed_until`) is also its fence: a consumer that was
slow and lost its lease can no longer hold or bury what another has taken over. Only `deliver` needs no fence:
that Meta has counted an event stays true, whoever says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from reference_impl.dispatch import outbox
from reference_impl.dispatch.classify import Outcome
from reference_impl.dispatch.loops import Connection

_CLAIM = """
UPDATE conversions c
SET claimed_until = now() + make_interval(secs => %(lease_s)s), attempts = c.attempts + 1
FROM tenants t
WHERE t.id = c.tenant_id AND c.id = ANY(%(ids)s)
  AND c.state IN ('pending', 'queued') AND (c.claimed_until IS NULL OR c.claimed_until <= now())
RETURNING c.id, c.tenant_id, t.pixel_id, c.event_id, c.event_name, c.event_time, c.sale_id, c.product_id,
          c.amount, c.currency, c.user_data, c.client_sealed, c.source_url,
          c.attempts, c.unknown_outcome, c.claimed_until,
          EXISTS (SELECT FROM dedupe_registry d
                  WHERE (d.tenant_id, d.gateway, d.sale_id) = (c.tenant_id, c.gateway, c.sale_id)
                    AND d.kind IN ('refund', 'chargeback')),
          EXISTS (SELECT FROM clicks k
                  WHERE (k.tenant_id, k.click_id) = (c.tenant_id, c.click_id) AND k.consent = 'denied')
"""
# What is neither waiting nor in flight needs no message: it has ended, or comes back through the outbox, or is gone.
_UNFINISHED = "SELECT id FROM conversions WHERE id = ANY(%s) AND state IN ('pending', 'queued')"
_UNKNOWN_FOR = """
SELECT conversion_id, extract(epoch FROM now() - min(created_at))::float8 FROM dispatch_attempts
WHERE conversion_id = ANY(%s) AND status = 'unknown' GROUP BY conversion_id
"""
_ATTEMPT = """
INSERT INTO dispatch_attempts (tenant_id, conversion_id, status, http_status, code, subcode, duration_ms, batch_id)
SELECT tenant_id, id, %(status)s, %(http_status)s, %(code)s, %(subcode)s, %(duration_ms)s, %(batch_id)s
FROM conversions WHERE id = ANY(%(ids)s)
"""
# The buyer's address and browser were kept for Meta alone: they go with the delivery, and so do those that a web
# process of the version before revision 0003 has written into `user_data` during a rolling restart.
# What the tenant had held for a token or a breaker may follow; one statement must not touch a row twice.
_DELIVER = f"""
WITH told AS ({_ATTEMPT}), delivered AS (
    UPDATE conversions
    SET state = 'delivered', delivered_at = now(), held_until = NULL, hold_reason = NULL, claimed_until = NULL,
        client_sealed = NULL, client_expires_at = NULL,
        user_data = user_data - 'client_ip_address' - 'client_user_agent'
    WHERE id = ANY(%(ids)s) AND state <> 'delivered'
), following AS (
    UPDATE conversions SET held_until = now(), hold_reason = 'released'
    WHERE tenant_id = %(tenant)s AND state = 'held' AND hold_reason = ANY(%(scouted)s) AND id <> ALL(%(ids)s)
    RETURNING id
)
SELECT pg_notify(%(channel)s, '') FROM following LIMIT 1
"""  # noqa: S608 -- made of the statement above
_HOLD = """
UPDATE conversions c
SET state = 'held', held_until = now() + make_interval(secs => v.wait_s), hold_reason = %(reason)s,
    claimed_until = NULL, attempts = c.attempts - %(uncounted)s,
    last_code = coalesce(%(code)s, c.last_code), last_subcode = coalesce(%(subcode)s, c.last_subcode)
FROM unnest(%(ids)s::uuid[], %(waits)s::float8[]) AS v (id, wait_s)
WHERE c.id = v.id AND c.state IN ('pending', 'queued') AND c.claimed_until = %(fence)s
"""
# Without the fence: who holds the claim by now has to know that Meta may have counted it.
_DOUBTED = "UPDATE conversions SET unknown_outcome = true WHERE id = ANY(%s) AND state IN ('pending', 'queued', 'held')"
# A dead letter may yet be redriven, and keeps what Meta would be told.
_END = """
UPDATE conversions
SET state = %(state)s, held_until = NULL, hold_reason = %(reason)s, claimed_until = NULL,
    last_code = coalesce(%(code)s, last_code), last_subcode = coalesce(%(subcode)s, last_subcode),
    client_sealed = CASE %(state)s WHEN 'dead_lettered' THEN client_sealed END,
    client_expires_at = CASE %(state)s WHEN 'dead_lettered' THEN client_expires_at END,
    user_data = user_data - 'client_ip_address' - 'client_user_agent'
WHERE id = ANY(%(ids)s) AND state IN ('pending', 'queued') AND claimed_until = %(fence)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A conversion that is ours until `claimed_until`. `user_data` holds hashes."""

    id: UUID
    tenant_id: str
    pixel_id: str
    event_id: str
    event_name: str
    event_time: datetime
    sale_id: str
    product_id: str | None
    amount: Decimal
    currency: str
    user_data: Mapping[str, Any] = field(repr=False)
    client_sealed: str | None = field(repr=False)
    """The buyer's address and browser; opened when the event is built, and nowhere else."""
    source_url: str | None
    """The page, of a page event."""
    attempts: int
    """This one included."""
    unknown_outcome: bool
    """Some earlier call may have been counted."""
    claimed_until: datetime
    reversed: bool
    """Paid back while an earlier try was in flight, when nobody could stop it."""
    refused: bool
    """Consent was withdrawn meanwhile, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to Meta, as it is written into `dispatch_attempts` for every event in it."""

    batch_id: UUID
    outcome: Outcome
    duration_ms: int


def claim(connection: Connection, ids: Sequence[UUID], *, lease_s: float) -> list[Claimed]:
    """Take those of the conversions that wait to be sent and that nobody else has in hand."""
    rows = connection.execute(_CLAIM, {"ids": list(ids), "lease_s": lease_s}).fetchall()
    names = tuple(Claimed.__slots__)
    claimed = [Claimed(**dict(zip(names, row, strict=True))) for row in rows]
    return sorted(claimed, key=lambda one: (one.event_time, one.id))


def unfinished(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those whose message must stay, because somebody has them in hand; all others' messages can go."""
    return {row[0] for row in connection.execute(_UNFINISHED, [list(ids)]).fetchall()}


def unknown_for_s(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, float]:
    """How long ago each was first sent without our learning what became of it, in seconds."""
    return {row[0]: float(row[1]) for row in connection.execute(_UNKNOWN_FOR, [list(ids)]).fetchall()}


def deliver(connection: Connection, batch: Sequence[Claimed], call: Call) -> None:
    """Meta has all of them. What the tenant had held for a token or a breaker may follow."""
    more = {"tenant": batch[0].tenant_id, "scouted": list(outbox.SCOUTED), "channel": outbox.CHANNEL}
    connection.execute(_DELIVER, {**_attempt([one.id for one in batch], call), **more})


def hold(
    connection: Connection,
    batch: Sequence[Claimed],
    *,
    reason: str,
    waits_s: Sequence[float],
    call: Call | None = None,
    unknown: bool = False,
) -> None:
    """Park them in the database, each for its own time. Without a call it was no attempt, and is not counted as one."""
    if not batch:
        return
    ids = [one.id for one in batch]
    outcome = call.outcome if call else None
    values = {
        **_codes(outcome),
        "ids": ids,
        "waits": list(waits_s),
        "reason": reason,
        "uncounted": 0 if call else 1,
        "fence": batch[0].claimed_until,
    }
    with connection.transaction():
        if call:
            _record(connection, ids, call)
        connection.execute(_HOLD, values)
        if unknown:
            connection.execute(_DOUBTED, [ids])
        outbox.ring(connection)


def end(connection: Connection, batch: Sequence[Claimed], *, state: str, reason: str, call: Call | None = None) -> None:
    """Close them without a delivery: `dead_lettered`, `expired` or `suppressed`, and why."""
    if not batch:
        return
    ids = [one.id for one in batch]
    codes = _codes(call.outcome if call else None)
    with connection.transaction():
        if call:
            _record(connection, ids, call)
        connection.execute(
            _END, {**codes, "ids": ids, "state": state, "reason": reason, "fence": batch[0].claimed_until}
        )


def record(connection: Connection, batch: Sequence[Claimed], call: Call) -> None:
    """Write a call that settles nothing yet, because its batch is asked about again in halves."""
    _record(connection, [one.id for one in batch], call)


def _record(connection: Connection, ids: Sequence[UUID], call: Call) -> None:
    connection.execute(_ATTEMPT, _attempt(ids, call))


def _attempt(ids: Sequence[UUID], call: Call) -> dict[str, Any]:
    outcome = call.outcome
    return {
        **_codes(outcome),
        "ids": list(ids),
        "status": outcome.kind.value,
        "http_status": outcome.status,
        "duration_ms": call.duration_ms,
        "batch_id": call.batch_id,
    }


def _codes(outcome: Outcome | None) -> dict[str, int | None]:
    return {"code": outcome.code if outcome else None, "subcode": outcome.subcode if outcome else None}
