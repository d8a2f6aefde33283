"""Waiting for a fact that can only be looked at, never subscribed to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from harness.errors import NotSeenInTime

Seen = TypeVar("Seen")

#: Between two looks; short against every promise, long against what a look costs.
LOOK_EVERY_S = 0.03


def wait_until(
    look: Callable[[], Seen],
    enough: Callable[[Seen], bool],
    *,
    goal: str,
    within_s: float,
    interrupted: threading.Event | None = None,
) -> Seen:
    """Look until it is enough, and return what was seen.

    Raises:
        NotSeenInTime: with the goal in words and what was seen last.
    """
    pause = interrupted or threading.Event()
    deadline = time.monotonic() + within_s
    while not enough(seen := look()):
        if time.monotonic() > deadline:
            raise NotSeenInTime(goal, within_s, [seen])
        pause.wait(LOOK_EVERY_S)
    return seen
