"""Visitors are forgotten: their sealed address and browser at their hour, page events once Meta takes them no more.

Page events are many and say little when they are old; what they add up to stands in the analytics.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from reference_impl.dispatch.loops import Connection

log = logging.getLogger(__name__)

_BATCH = 5_000
"""Rows in one statement, so that none holds its locks for long."""
_MOST_BATCHES = 200

_CLOSE = """
UPDATE clicks SET client_sealed = NULL, client_expires_at = NULL
WHERE client_expires_at <= %(now)s AND client_sealed IS NOT NULL
"""
# In the middle of a try it is left alone; whatever else it waits for, Meta refuses it for its age.
_PAGES = """
DELETE FROM conversions WHERE id IN (
    SELECT id FROM conversions
    WHERE kind <> 'purchase' AND received_at < %(before)s AND (claimed_until IS NULL OR claimed_until <= now())
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""


def forget(connection: Connection, *, now_s: float, page_days: int, batch: int = _BATCH) -> None:
    """Let go of what has had its time, by the application's clock `now_s` (seconds since 1970)."""
    now = datetime.fromtimestamp(now_s, tz=UTC)
    closed = connection.execute(_CLOSE, {"now": now}).rowcount
    gone = 0
    for _ in range(_MOST_BATCHES):
        found = connection.execute(_PAGES, {"before": now - timedelta(days=page_days), "batch": batch}).rowcount
        gone += found
        if found < batch:
            break
    if closed or gone:
        log.info("visitors: %d sealed addresses ended, %d page events deleted", closed, gone)
