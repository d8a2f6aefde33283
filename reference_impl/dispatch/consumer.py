"""From SQS to Meta: receives ids, claims conversions, hands them to the sender by tenant, deletes what is settled.

The order of the last two is what makes a loss impossible: first the commit, then the delete. Who dies in
between leaves a message that is seen again, and finds its conversion settled or sends it under the same event id.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from reference_impl.dispatch import store
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.queue import BATCH, Message, Queue
from reference_impl.dispatch.sender import Sender
from reference_impl.dispatch.stopping import Stop
from reference_impl.dispatch.store import Claimed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One of several equal threads.

    Units:
        `visibility_s`: for so long a received message is hidden and a claimed conversion ours. `call_limit_s`:
        the longest that one call to Meta can take; nothing is begun that might outlast the claim.
        `poll_s`: how long SQS may let us wait for a message, which is also how long an idle thread needs to end.
    """

    session: Session
    queue: Queue
    sender: Sender
    stop: Stop
    monotonic_s: Callable[[], float]
    visibility_s: int
    call_limit_s: float
    poll_s: int = 1
    gather: int = 50
    """Messages that one thread takes at a time: what may share a request to Meta."""

    def step(self) -> None:
        """Receive what there is, and settle it."""
        # Before anything is received: a message that meets no database is hidden for a while and counted as a crash,
        # once for each thread whose connection has ended, and for as long as the database is away.
        connection = self.session.alive()
        messages = self._receive()
        if not messages:
            return
        budget = _Budget(self, last_start_s=self.monotonic_s() + self.visibility_s - self.call_limit_s)
        by_id = _by_id(messages)
        claimed = store.claim(connection, list(by_id), lease_s=self.visibility_s)
        try:
            self.sender.dispatch(connection, _by_tenant(claimed), may_begin=budget.may_begin)
        finally:
            # Also where one tenant's round has failed: what is settled must not be seen again because of it.
            waiting = store.unfinished(connection, list(by_id))
            self._delete([message for one, found in by_id.items() if one not in waiting for message in found])

    def _receive(self) -> list[Message]:
        """One long poll; then, while there is more, up to `gather` without waiting."""
        messages = self.queue.receive(wait_s=self.poll_s, visibility_s=self.visibility_s)
        full = len(messages) == BATCH
        while full and len(messages) < self.gather and not self.stop.requested:
            more = self.queue.receive(wait_s=0, visibility_s=self.visibility_s)
            messages += more
            full = len(more) == BATCH
        return messages

    def _delete(self, messages: Sequence[Message]) -> None:
        if failed := self.queue.delete(messages) if messages else []:
            # They are seen again, found settled, and deleted then.
            log.warning("SQS did not delete %d of %d messages", len(failed), len(messages))


@dataclass(slots=True)
class _Budget:
    """Whether another call to Meta still fits into the claim. The first always does, or nothing would ever move."""

    consumer: Consumer
    last_start_s: float
    begun: bool = False

    def may_begin(self) -> bool:
        consumer = self.consumer
        if consumer.stop.requested or (self.begun and consumer.monotonic_s() >= self.last_start_s):
            return False
        self.begun = True
        return True


def _by_id(messages: Sequence[Message]) -> dict[UUID, list[Message]]:
    """The messages by conversion; SQS may deliver one twice. What is no id of ours is left to the redrive policy."""
    found: defaultdict[UUID, list[Message]] = defaultdict(list)
    strangers = 0
    for message in messages:
        try:
            found[UUID(message.conversion_id)].append(message)
        except ValueError:
            strangers += 1
    if strangers:
        log.warning("%d messages hold no conversion id; SQS will move them to the dead letters", strangers)
    return dict(found)


def _by_tenant(claimed: Sequence[Claimed]) -> list[list[Claimed]]:
    """A request goes to one pixel with one token: one tenant's."""
    groups: defaultdict[tuple[str, str], list[Claimed]] = defaultdict(list)
    for one in claimed:
        groups[one.tenant_id, one.pixel_id].append(one)
    return list(groups.values())
