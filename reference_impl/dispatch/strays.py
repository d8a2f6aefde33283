"""Conversions that have a state and no message: the scheduler finds them and puts them back.

It happens when SQS has moved a message to the dead letters because its consumer crashed too often, when a queue was
purged, or when a message outlived its retention.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from reference_impl.dispatch import outbox
from reference_impl.dispatch.loops import Connection
from reference_impl.dispatch.queue import Queue

log = logging.getLogger(__name__)

_MOST = 500
_PEEK_S = 5
"""For so long a letter that is only looked at stays hidden."""

_FIND = """
SELECT c.id, c.kind <> 'purchase' FROM conversions c
WHERE c.state IN ('pending', 'queued') AND (c.claimed_until IS NULL OR c.claimed_until <= now())
  AND NOT EXISTS (
      SELECT FROM outbox o WHERE o.conversion_id = c.id
        AND (o.sent_at IS NULL OR o.sent_at > now() - make_interval(secs => %s)))
ORDER BY c.kind <> 'purchase', c.received_at LIMIT %s
"""
_BURY = """
UPDATE conversions SET state = 'dead_lettered', hold_reason = 'the consumer crashed too often'
WHERE id = ANY(%s) AND state IN ('pending', 'queued') AND (claimed_until IS NULL OR claimed_until <= now())
"""
_AGAIN = "INSERT INTO outbox (conversion_id, page) SELECT id, kind <> 'purchase' FROM conversions WHERE id = ANY(%s)"


def recover(
    connection: Connection, queue: Queue, dead_letters: Queue, *, older_than_s: float, pages: Queue | None = None
) -> None:
    """Bury what stands in the dead letters; send the rest again, if nothing waits in their queue.

    While messages wait, a conversion's own may be among them, and a second one would only add to the pile. At worst
    an id is sent twice, which the consumer notices.
    """
    is_page: dict[UUID, bool] = dict(connection.execute(_FIND, [older_than_s, _MOST]).fetchall())
    if not is_page:
        return
    dead = _among(dead_letters, set(is_page))
    if dead:
        connection.execute(_BURY, [list(dead)])
        log.error("%d conversions crashed the consumer too often; they are dead-lettered", len(dead))
    for page, way in ((False, queue), (True, pages or queue)):
        lost = [one for one in is_page if one not in dead and is_page[one] is page]
        if lost and way.waiting() == 0:
            _send_again(connection, lost)


def _send_again(connection: Connection, ids: Sequence[UUID]) -> None:
    with connection.transaction():
        connection.execute(_AGAIN, [list(ids)])
        outbox.ring(connection)
    log.warning("%d conversions had no message any more; they are sent again", len(ids))


def _among(letters: Queue, ids: set[UUID]) -> set[UUID]:
    """Those of the ids that stand in the dead letters. Looking hides a letter for a few seconds, no more."""
    found: set[UUID] = set()
    names = {str(one): one for one in ids}
    seen: set[str] = set()
    while batch := letters.receive(wait_s=0, visibility_s=_PEEK_S):
        bodies = {one.conversion_id for one in batch}
        if bodies <= seen:
            break
        seen |= bodies
        found |= {names[body] for body in bodies if body in names}
    return found
