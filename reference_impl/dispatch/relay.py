"""From the outbox to SQS: claims rows under a lease, sends ids in batches of ten, marks what SQS has taken.

Purchases have a queue of their own: a landing page that a hundred thousand people open delays no sale.

Several relays may run: `SKIP LOCKED` shares the rows out. A relay that dies between sending and marking
leaves a lease behind; when that is over the id is sent again, and the consumer sees that it is done already.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference_impl.dispatch import outbox
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.stopping import Stop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One relay loop.

    Units:
        `lease_s`: how long a claimed row is ours. `retry_s`: how soon an id that SQS refused is tried again.
        `fallback_s`: the longest wait for a notification, in case one was lost.
    """

    session: Session
    queue: Queue
    stop: Stop
    pages: Queue | None = None
    """Where page events go; None: to the same queue."""
    lease_s: float = 5.0
    retry_s: float = 0.5
    fallback_s: float = 1.0
    claim_size: int = 100
    doorbell: outbox.Doorbell = field(default_factory=outbox.Doorbell)

    def step(self) -> None:
        """Move everything that is due, then wait for a notification, the next hold to end, or the fallback."""
        connection = self.session.connection()
        # Listen first, then look: what is committed after the look wakes us.
        self.doorbell.attach(connection)
        self.doorbell.reset()
        while not self.stop.requested:
            outbox.release_due(connection)
            if self.move() < self.claim_size:
                break
        if self.stop.requested:
            return
        due_s = outbox.next_due_s(connection)
        wait_s = self.fallback_s if due_s is None else min(self.fallback_s, due_s)
        self.doorbell.wait(connection, self.stop, wait_s)

    def move(self) -> int:
        """Send one claim's worth of ids to SQS; how many rows were claimed."""
        connection = self.session.connection()
        claimed = outbox.claim(connection, limit=self.claim_size, lease_s=self.lease_s)
        if not claimed:
            return 0
        for page, queue in ((False, self.queue), (True, self.pages or self.queue)):
            self._send(queue, [entry for entry in claimed if entry.page is page])
        return len(claimed)

    def _send(self, queue: Queue, entries: Sequence[outbox.Entry]) -> None:
        if not entries:
            return
        refused = queue.send([entry.conversion_id for entry in entries])
        outbox.settle(
            self.session.connection(),
            sent=[entry for entry in entries if entry.conversion_id not in refused],
            refused=[entry for entry in entries if entry.conversion_id in refused],
            retry_s=self.retry_s,
        )
        if refused:
            log.warning("SQS did not take %d of %d messages; they are tried again", len(refused), len(entries))
