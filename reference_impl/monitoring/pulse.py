"""Whether a loop still does its work: a process that only exists is no comfort to whoever is on call."""

from __future__ import annotations

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

    def beat(self) -> None:
        """A step has succeeded."""
        self._last_s = self._monotonic_s()

    def alive(self) -> bool:
        """Whether that is not too long ago."""
        return self._monotonic_s() - self._last_s < self._stalled_s
