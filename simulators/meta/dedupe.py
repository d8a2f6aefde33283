"""Which events count: the same event_id and event_name at the same pixel count once within 48 hours.

Meta documents the rule for a browser's event and a server's; two from servers are treated alike here, as every
client's retry relies on it (facts section 7, marked uncertain). `events_received` never tells a duplicate.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 48 * 3600


class Dedupe:
    """Remembers what counted, per pixel, on the clock of the caller; bounded, and says what it had to forget."""

    def __init__(self, *, capacity: int = 250_000) -> None:
        self.forgotten = 0  # keys dropped within their 48 hours, for want of room
        self._capacity = capacity
        # Keys are 64-bit hashes (SipHash, keyed by the process): as text, half a million ids are 100 MB, and among
        # 250,000 the chance that any two are alike is one in half a billion. Their order stands in a deque, because a
        # dict takes the longer to find its first key the more were deleted before it.
        self._seen: dict[int, float] = {}
        self._order: deque[int] = deque()

    def counts(self, pixel: str, event_id: str | None, event_name: str, now_s: float) -> bool:
        """Whether this event counts, remembering it if so; one without an id always counts.

        `now_s` is Unix seconds when the event came in, not when it happened.
        """
        if not event_id:
            return True
        key = hash((pixel, event_id, event_name))
        first_s = self._seen.get(key)
        if first_s is not None:
            if now_s - first_s < WINDOW_S:
                return False
            self._seen[key] = now_s  # keeps its place in the order: it may be forgotten early, never too late
            return True
        self._seen[key] = now_s
        self._order.append(key)
        self._drop_old(now_s)
        return True

    def _drop_old(self, now_s: float) -> None:
        """Oldest first, a few at a time: what is over its 48 hours, and what no longer fits."""
        for _ in range(2):
            key = self._order[0]
            if now_s - self._seen[key] < WINDOW_S:
                if len(self._order) <= self._capacity:
                    return
                self.forgotten += 1
            self._order.popleft()
            del self._seen[key]
