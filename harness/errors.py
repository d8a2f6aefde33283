"""Two kinds of red: a broken promise is the target's fault, a harness error is ours."""

from __future__ import annotations

from collections.abc import Sequence


class PromiseBroken(AssertionError):
    """The target did not do what it promises. The run ends NO_GO, exit 1."""


class HarnessError(Exception):
    """golive itself, a fake, or the machine failed. Nothing can be said of the target; exit 2."""


class UsageError(HarnessError):
    """What the user asked for cannot be done as asked; the message says what to do instead."""


class NotSeenInTime(PromiseBroken):
    """A fact that should have come did not; says what was waited for and what was seen instead."""

    def __init__(self, goal: str, within_s: float, seen: Sequence[object]) -> None:
        shown = "; ".join(str(one) for one in list(seen)[-5:]) or "nothing"
        super().__init__(f"not seen within {within_s:g} s: {goal}. Seen instead: {shown}")
