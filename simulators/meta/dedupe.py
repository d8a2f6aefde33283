"""Which events count: the same event_id and event_name at the same pixel count once within 48 hours.

Meta documents the rule for a browser's event and a server's; two from servers are treated alike here, as every
client's retry relies on it (facts section 7, marked uncertain). `events_received` never tells a duplicate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

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
        """Whether this one event counts; as `count`."""
        return self.count(pixel, [event_id], [event_name], now_s)[0]

    def count(
        self, pixel: str, event_ids: Sequence[str | None], event_names: Sequence[str | None], now_s: float
    ) -> list[bool]:
        """Which of these events count, remembering those; one without an id always counts.

        `now_s` is Unix seconds when the events came in, not when they happened.
        """
        seen, order = self._seen, self._order
        counted = []
        for event_id, event_name in zip(event_ids, event_names, strict=True):
            key = hash((pixel, event_id, event_name))
            first_s = seen.get(key) if event_id else None
            counts = first_s is None or now_s - first_s >= WINDOW_S
            counted.append(counts)
            if counts and event_id:
                seen[key] = now_s
                if first_s is None:  # one that counts again keeps its place in the order: forgotten early, never late
                    order.append(key)
        self._drop_old(now_s, at_most=2 * len(counted))
        return counted

    def _drop_old(self, now_s: float, *, at_most: int) -> None:
        """Oldest first, a few at a time: what no longer fits, and what is over its 48 hours."""
        seen, order = self._seen, self._order
        over = min(at_most, len(order) - self._capacity)
        for _ in range(over):
            if now_s - seen.pop(order.popleft()) < WINDOW_S:
                self.forgotten += 1
        for _ in range(min(at_most - max(over, 0), len(order))):
            if now_s - seen[order[0]] < WINDOW_S:
                return
            del seen[order.popleft()]
