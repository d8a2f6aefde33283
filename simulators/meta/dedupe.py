"""Which events count: the same event_id and event_name at the same pixel count once within 48 hours.

Meta documents the rule for a browser's event and a server's; two from servers are treated alike here, as every
client's retry relies on it (facts section 7, marked uncertain). `events_received` never tells a duplicate.
"""

from __future__ import annotations

from collections.abc import Sequence

WINDOW_S = 48 * 3600


class Dedupe:
    """Remembers what counted, per pixel, on the clock of the caller; bounded, and says what it had to forget.

    At least the last `capacity` ids are remembered, and at most twice as many.
    """

    def __init__(self, *, capacity: int = 150_000) -> None:
        self.forgotten = 0  # keys dropped within their 48 hours, for want of room
        self._capacity = capacity
        # Keys are 64-bit hashes (SipHash, keyed by the process): as text, half a million ids are 100 MB, and among
        # 300,000 the chance that any two are alike is one in half a billion. Two generations, of which the older is
        # let go as a whole: taking keys out of a dict one by one makes it grow anew again and again, 21 MB each time.
        self._young: dict[int, float] = {}
        self._old: dict[int, float] = {}

    def counts(self, pixel: str, event_id: str | None, event_name: str, now_s: float) -> bool:
        """Whether this one event counts; as `count`."""
        return self.count(pixel, [event_id], [event_name], now_s)[0]

    def count(
        self, pixel: str, event_ids: Sequence[str | None], event_names: Sequence[str | None], now_s: float
    ) -> list[bool]:
        """Which of these events count, remembering those; one without an id always counts.

        `now_s` is Unix seconds when the events came in, not when they happened.
        """
        young, old = self._young, self._old
        counted = []
        for event_id, event_name in zip(event_ids, event_names, strict=True):
            if not event_id:
                counted.append(True)
                continue
            key = hash((pixel, event_id, event_name))
            first_s = young.get(key)
            if first_s is None:
                first_s = old.get(key)
            counts = first_s is None or now_s - first_s >= WINDOW_S
            counted.append(counts)
            if counts:
                young[key] = now_s
        if len(young) >= self._capacity:
            self._forget_the_old(now_s)
        return counted

    def _forget_the_old(self, now_s: float) -> None:
        self.forgotten += sum(now_s - at_s < WINDOW_S for at_s in self._old.values())
        self._old, self._young = self._young, {}
