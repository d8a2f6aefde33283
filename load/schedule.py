"""When each request is due: fixed before the first one is sent, whatever the target does (an open model)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from load.plan import LoadPlan

Piece = Sequence[float]
"""A rate for each second, and for how many seconds."""

What = Literal["first", "again", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One request of the schedule, not yet rendered."""

    number: int
    """Its own, counted from the plan's `first`; samples are known by it."""
    due_s: float
    what: What
    """`first`: what was never sent before. `again`: a vendor's retry. `read`: somebody opens the dashboard."""
    turn: int
    """Of a first and of its retry: which one it is; of a read: its own count."""
    first_due_s: float
    """Of a retry: when the same was due for the first time; else as `due_s`."""


def due_times(*, seed: int, pieces: Sequence[Piece], purpose: str = "schedule") -> list[float]:
    """Seconds from the start, in order: arrivals of Poisson processes, one after the other, given how many there are.

    Of each piece their number is exactly rate x seconds, rounded, so that a run's sample count does not hang on luck.
    """
    rng = Random(f"{seed}/{purpose}")
    found: list[float] = []
    began_s = 0.0
    for rate_per_s, lasts_s in pieces:
        count = round(rate_per_s * lasts_s)
        found += sorted(rng.uniform(began_s, began_s + lasts_s) for _ in range(count))
        began_s += lasts_s
    return found


def slots(plan: LoadPlan) -> list[Slot]:
    """Everything that the plan sends, in the order in which it is due."""
    times = due_times(seed=plan.seed + plan.first, pieces=plan.pieces)
    firsts = [
        Slot(number=plan.first + turn, due_s=due_s, what="first", turn=plan.first + turn, first_due_s=due_s)
        for turn, due_s in enumerate(times)
    ]
    again = list(_storm(plan, firsts, number=plan.first + len(firsts)))
    reads = [
        Slot(
            number=plan.first + len(firsts) + len(again) + turn, due_s=due_s, what="read", turn=turn, first_due_s=due_s
        )
        for turn, due_s in enumerate(
            due_times(seed=plan.seed, pieces=[(plan.reads_per_s, _lasts_s(plan))], purpose="reads")
        )
    ]
    return list(heapq.merge(firsts, again, reads, key=lambda one: one.due_s))


def _lasts_s(plan: LoadPlan) -> float:
    return sum(lasts_s for _, lasts_s in plan.pieces)


def _storm(plan: LoadPlan, firsts: Sequence[Slot], *, number: int) -> Iterator[Slot]:
    """Every vendor sends everything from before the storm once more, in no order, within the storm's seconds."""
    if not plan.storm_over_s:
        return
    begins_s = sum(lasts_s for _, lasts_s in plan.pieces[: plan.storm_after])
    before = firsts[: sum(round(rate_per_s * lasts_s) for rate_per_s, lasts_s in plan.pieces[: plan.storm_after])]
    rng = Random(f"{plan.seed}/storm")
    moments = sorted(rng.uniform(begins_s, begins_s + plan.storm_over_s) for _ in before)
    for count, (due_s, first) in enumerate(zip(moments, rng.sample(before, len(before)), strict=True)):
        yield Slot(number=number + count, due_s=due_s, what="again", turn=first.turn, first_due_s=first.due_s)
