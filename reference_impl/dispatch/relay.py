"""From the outbox to SQS: claims rows under a lease, sends ids in batches of ten, marks what SQS has taken.

Purchases have a queue of their own: a landing page that a hundred thousand people open delays no sale.

Several relays may run: `SKIP LOCKED` shares the rows out. A relay that dies between sending and marking
leaves a lease behind; when that is over the id is sent again, and the consumer sees that it is done already.

What comes alone goes at once. After it the relay rests for a moment, and page events go only twice a second: what has
gathered by then shares a call to SQS, a transaction and a request to Meta, which under load is most of the cost.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reference_impl.dispatch import outbox
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.stopping import Stop

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pace:
    """Something that is to happen once in `every_s` seconds at most, and the first time at once."""

    every_s: float
    monotonic_s: Callable[[], float] = time.monotonic
    _last_s: float = -math.inf

    def rest_s(self) -> float:
        """How long it must not happen yet; 0: it may."""
        return max(0.0, self._last_s + self.every_s - self.monotonic_s())

    def happened(self) -> None:
        """It did, now."""
        self._last_s = self.monotonic_s()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One relay loop.

    Units:
        `lease_s`: how long a claimed row is ours. `retry_s`: how soon an id that SQS refused is tried again.
        `rest_s`: the pause after something was moved. `fallback_s`: the longest wait for a notification, in case one
        was lost.
    """

    session: Session
    queue: Queue
    stop: Stop
    pages: Queue | None = None
    """Where page events go; None: to the same queue."""
    lease_s: float = 5.0
    retry_s: float = 0.5
    rest_s: float = 0.2
    fallback_s: float = 1.0
    claim_size: int = 100
    pages_pace: Pace = field(default_factory=lambda: Pace(every_s=0.5))
    doorbell: outbox.Doorbell = field(default_factory=outbox.Doorbell)

    def step(self) -> None:
        """Move everything that is due, then wait for a notification, the next hold to end, or the fallback."""
        connection = self.session.connection()
        # Listen first, then look: what is committed after the look wakes us.
        self.doorbell.attach(connection)
        self.doorbell.reset()
        pages, moved = not self.pages_pace.rest_s(), 0
        while not self.stop.requested:
            outbox.release_due(connection)
            count = self.move(pages=pages)
            moved += count
            if count < self.claim_size:
                break
        if self.stop.requested or (moved and self.stop.wait(self.rest_s)):
            return
        due_s = outbox.next_due_s(connection)
        waits_s = (self.fallback_s, due_s, self.pages_pace.rest_s() or None)
        self.doorbell.wait(connection, self.stop, min(one for one in waits_s if one is not None))

    def move(self, *, pages: bool = True) -> int:
        """Send one claim's worth of ids to SQS, page events only with `pages`; how many rows were claimed."""
        connection = self.session.connection()
        claimed = outbox.claim(connection, limit=self.claim_size, lease_s=self.lease_s, pages=pages)
        if not claimed:
            return 0
        if any(entry.page for entry in claimed):
            self.pages_pace.happened()
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
