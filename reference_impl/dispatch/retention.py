"""What is no longer needed goes: an unsalted hash can be enumerated, so it is personal data with an end.

The dedupe registry stays longest: a vendor repeats a sale weeks later, and it must still be known then.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from reference_impl.dispatch.loops import Connection

log = logging.getLogger(__name__)

_HASHES_DAYS = 30
"""Meta takes nothing older than 7 days; the rest is for questions about a sale."""
_CLICKS_DAYS = 90
_SENT_DAYS = 7

_FORGET = """
UPDATE conversions SET user_data = '{}'
WHERE received_at < %s AND user_data <> '{}' AND state IN ('delivered', 'dead_lettered', 'expired', 'suppressed')
"""


def tidy(connection: Connection, *, now_s: float, dedupe_days: int) -> None:
    """Delete what has had its time. Business times are compared with the application's clock, `now_s` (seconds
    since 1970), and the outbox, whose times are the database's, with the database's."""
    now = datetime.fromtimestamp(now_s, tz=UTC)
    with connection.transaction():
        connection.execute("DELETE FROM outbox WHERE sent_at < now() - make_interval(days => %s)", [_SENT_DAYS])
        forgotten = connection.execute(_FORGET, [now - timedelta(days=_HASHES_DAYS)]).rowcount
        connection.execute("DELETE FROM clicks WHERE clicked_at < %s", [now - timedelta(days=_CLICKS_DAYS)])
        connection.execute("DELETE FROM dedupe_registry WHERE first_seen_at < %s", [now - timedelta(days=dedupe_days)])
    log.info("retention: the hashes of %d old conversions were erased", forgotten)
