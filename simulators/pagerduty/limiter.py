"""How many calls an integration key may make within the last minute.

Source: /work/shared/facts/aws_pagerduty.md, 4.10: about 120 a minute per key, over a trailing 60 s. Whether a refused
call counts is not known; here it does not, so that a client that keeps on trying gets its 120 a minute.
"""

from __future__ import annotations

from collections import OrderedDict, deque

WINDOW_S = 60.0
MAX_KEYS = 10_000
"""Keys remembered; the one used longest ago is forgotten first."""


class Limiter:
    """`per_min` calls per key within `WINDOW_S`; 0: no limit."""

    def __init__(self, per_min: int) -> None:
        self._per_min = per_min
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, key: str, now_s: float) -> bool:
        """Whether this call is one too many; if not, it counts from now on."""
        if self._per_min <= 0:
            return True
        calls = self._calls.setdefault(key, deque())
        self._calls.move_to_end(key)
        if len(self._calls) > MAX_KEYS:
            self._calls.popitem(last=False)
        while calls and calls[0] <= now_s - WINDOW_S:
            calls.popleft()
        if len(calls) >= self._per_min:
            return False
        calls.append(now_s)
        return True
