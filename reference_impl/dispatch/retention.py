"""What is no longer needed goes: an unsalted hash can be enumerated, so it is personal data with an end.

| what | how long | counted from |
|---|---|---|
| a buyer's address and browser, sealed | `CLIENT_DAYS`, and never longer than the purchase is on its way | receipt |
| a purchase's hashes | `HASHES_DAYS` | receipt; not before it has ended |
| clicks | `CLICKS_DAYS` | the click |
| page views and checkouts | `VISITS_DAYS` | the visit |
| outbox rows (an id, nothing else) | 7 days | sent to SQS |
| the dedupe registry (a sale's id, nothing of its buyer) | `DEDUPE_DAYS` | receipt |

The registry stays longest: a vendor repeats a sale weeks later, and it must still be known then. What is held without
an end ends here as well, once Meta would refuse it for its age: else its hashes would stay for ever.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from reference_impl.dispatch.loops import Connection

log = logging.getLogger(__name__)

_SENDABLE_DAYS = 7
_SENT_DAYS = 7
_BATCH = 1000
_MOST_BATCHES = 200
"""In one go; the rest waits for the next, so that no other duty of the scheduler's waits long."""

# Each picks a batch that nobody else has in hand, so it neither waits nor lets others wait, and is a transaction.
_EXPIRE: LiteralString = """
UPDATE conversions SET state = 'expired', hold_reason = 'older than 7 days', held_until = NULL,
                       client_sealed = NULL, client_expires_at = NULL
WHERE id IN (SELECT id FROM conversions WHERE state = 'held' AND event_time < %(before)s
             LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_CLOSE: LiteralString = """
UPDATE conversions SET client_sealed = NULL, client_expires_at = NULL
WHERE id IN (SELECT id FROM conversions WHERE client_sealed IS NOT NULL AND client_expires_at < %(before)s
             LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_FORGET: LiteralString = """
UPDATE conversions SET user_data = '{}', client_sealed = NULL, client_expires_at = NULL
WHERE id IN (SELECT id FROM conversions WHERE received_at < %(before)s AND user_data <> '{}'
               AND state IN ('delivered', 'dead_lettered', 'expired', 'suppressed')
             LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_CLICKS: LiteralString = """
DELETE FROM clicks WHERE (tenant_id, click_id) IN (
    SELECT tenant_id, click_id FROM clicks WHERE clicked_at < %(before)s LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_VISITS: LiteralString = """
DELETE FROM visits WHERE (tenant_id, kind, event_id) IN (
    SELECT tenant_id, kind, event_id FROM visits WHERE seen_at < %(before)s LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_OUTBOX: LiteralString = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE sent_at < %(before)s LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_REGISTRY: LiteralString = """
DELETE FROM dedupe_registry WHERE (tenant_id, gateway, sale_id, kind) IN (
    SELECT tenant_id, gateway, sale_id, kind FROM dedupe_registry WHERE first_seen_at < %(before)s
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """How long what is kept. Days."""

    hashes: int
    clicks: int
    visits: int
    dedupe: int


def tidy(connection: Connection, *, now_s: float, periods: Periods, batch: int = _BATCH) -> dict[str, int]:
    """Let go of what has had its time; how many rows of each.

    Business times are compared with the application's clock, `now_s` (seconds since 1970), and the outbox, whose times
    are the database's, with the database's.
    """
    now = datetime.fromtimestamp(now_s, tz=UTC)
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    duties: tuple[tuple[str, LiteralString, datetime], ...] = (
        ("held conversions", _EXPIRE, now - timedelta(days=_SENDABLE_DAYS)),
        ("sealed addresses", _CLOSE, now),
        ("conversions' hashes", _FORGET, now - timedelta(days=periods.hashes)),
        ("clicks", _CLICKS, now - timedelta(days=periods.clicks)),
        ("visits", _VISITS, now - timedelta(days=periods.visits)),
        ("outbox rows", _OUTBOX, row[0] - timedelta(days=_SENT_DAYS)),
        ("dedupe rows", _REGISTRY, now - timedelta(days=periods.dedupe)),
    )
    gone = {what: _in_batches(connection, query, before=before, batch=batch) for what, query, before in duties}
    if any(gone.values()):
        log.info("retention: ended %s", ", ".join(f"{count} {what}" for what, count in gone.items() if count))
    return gone


def _in_batches(connection: Connection, query: LiteralString, *, before: datetime, batch: int) -> int:
    values: dict[str, Any] = {"before": before, "batch": batch}
    gone = 0
    for _ in range(_MOST_BATCHES):
        found = connection.execute(query, values).rowcount
        gone += found
        if found < batch:
            break
    return gone
