"""Whether a loop still does its work: a process that only exists is no comfort to whoever is on call."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pulse:
    """Beats with each step that has succeeded.

    Units:
        `stalled_s`: without a step for so long it counts as dead; longer than the longest step (a consumer's round of
        calls to a Meta that hangs).
    """

    def __init__(self, *, monotonic_s: Callable[[], float], stalled_s: float) -> None:
        self._monotonic_s = monotonic_s
        self._stalled_s = stalled_s
        self._last_s = monotonic_s()
        self._steps = 0
        self._stepped = threading.Condition()

    def beat(self) -> None:
        """A step has succeeded."""
        with self._stepped:
            self._last_s = self._monotonic_s()
            self._steps += 1
            self._stepped.notify_all()

    def alive(self) -> bool:
        """Whether that is not too long ago."""
        return self._monotonic_s() - self._last_s < self._stalled_s

    def wait_for_a_step(self, within_s: float = 5.0) -> None:
        """Return after the first step that has begun after now, or after that time."""
        with self._stepped:
            wanted = self._steps + 2  # the next one to end may have begun before
            self._stepped.wait_for(lambda: self._steps >= wanted, timeout=within_s)
