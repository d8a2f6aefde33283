"""Whether something became slower: the rule, apart from how it is measured and told. Pure functions.

A *repeat* is one process; its rounds, floor and subject in turns, are cut into blocks. Of each block the least of the
subject is divided by the least of the floor: whatever else happens can only add time. A repeat's ratio is the median of
its blocks, and the ratio of a subject is the median of its repeats. The interval comes from drawing repeats, and blocks
in them, again and again (bootstrap), of now and of the baseline alike.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

#: So many times the baseline is called slower, once the whole interval lies beyond it. docs/benchmarks.md: why.
THRESHOLD = 1.15
#: Beside a baseline of another kind of machine. Ratios to a floor differ between processors, too.
FOREIGN_THRESHOLD = 2.0
#: What must not be missed: where the interval is too wide to call this, nothing was measured.
MUST_CATCH = 1.30
BLOCK_ROUNDS = 5
_DRAWS = 1_000
_ALPHA = 0.01
"""Both ends together. Twenty subjects are judged at once, so 5 % would cry wolf in each second run."""

State = Literal["same", "slower", "faster", "undecided", "new", "gone"]
Repeat = Sequence[float]
"""The ratios of one process's blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One subject: its ratio to the floor, now and before, and what follows."""

    name: str
    state: State
    ratio: float | None
    before: float | None
    change: float | None
    """How many times the ratio before."""
    interval: tuple[float, float] | None
    """Of the change, 99 %."""
    call_us: float | None = None
    """What one call took here, for the reader; nothing is judged by it."""

    def sentence(self) -> str:
        """What became of it, for whoever reads why the build is red."""
        if self.state == "new":
            return f"{self.name} has no baseline: measure one with make bench ARGS=--update"
        if self.state == "gone":
            return f"{self.name} stands in the baseline and was not measured: is it gone? make bench ARGS=--update"
        assert self.change is not None
        assert self.interval is not None
        moved = f"ratio {self.before:.3g} -> {self.ratio:.3g} (interval of the change {_span(self.interval)})"
        if self.state == "undecided":
            return f"{self.name} cannot be told from noise: {moved}; measure again where less runs"
        if self.state == "same":
            return f"{self.name} is as quick as before: {moved}"
        word = "slower" if self.state == "slower" else "faster"
        percent = abs(self.change - 1) * 100
        return f"{self.name} became {percent:.0f} % {word} against the floor: {moved}"


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"


def blocks(subject: Sequence[float], floor: Sequence[float], size: int = BLOCK_ROUNDS) -> Repeat:
    """The ratio of each whole block of rounds that belong together; shape: one number for each."""
    starts = range(0, min(len(subject), len(floor)) - size + 1, size)
    return [min(subject[at : at + size]) / min(floor[at : at + size]) for at in starts]


def ratio(repeats: Sequence[Repeat]) -> float:
    """The subject's ratio to its floor: the median of the repeats' medians."""
    return median([median(one) for one in repeats])


def judge(
    name: str,
    now: Sequence[Repeat],
    before: Sequence[Repeat],
    *,
    threshold: float = THRESHOLD,
    must_catch: float = MUST_CATCH,
    seed: str = "",
) -> Judged:
    """Compare what was measured now with what was measured before; either may be empty: then it is new, or gone.

    *Slower* is called only if the whole interval of the change lies beyond the threshold. *Undecided* is neither a pass
    nor a failure: the change itself lies beyond the threshold and its interval does not, or the interval is so wide
    that `must_catch` times the baseline would not have been called.
    """
    if not now or not before:
        known = ratio(now) if now else None
        state: State = "gone" if not now else "new"
        return Judged(
            name=name, state=state, ratio=known, before=ratio(before) if before else None, change=None, interval=None
        )
    is_now, was = ratio(now), ratio(before)
    change = is_now / was
    low, high = interval(now, before, seed=f"{name}/{seed}")
    if low > threshold:
        state = "slower"
    elif change > threshold or low * must_catch <= threshold * change:
        state = "undecided"
    else:
        state = "faster" if high < 1 / threshold else "same"
    return Judged(name=name, state=state, ratio=is_now, before=was, change=change, interval=(low, high))


def interval(now: Sequence[Repeat], before: Sequence[Repeat], *, seed: str) -> tuple[float, float]:
    """Between which values the change lies, 99 times of 100; the same input, the same answer."""
    draw = random.Random(seed)
    drawn = sorted(_drawn(now, draw) / _drawn(before, draw) for _ in range(_DRAWS))
    return drawn[int(_DRAWS * _ALPHA / 2)], drawn[int(_DRAWS * (1 - _ALPHA / 2)) - 1]


def _drawn(repeats: Sequence[Repeat], draw: random.Random) -> float:
    chosen = draw.choices(repeats, k=len(repeats))
    return median([median(draw.choices(one, k=len(one)) if len(one) > 1 else one) for one in chosen])


def median(values: Sequence[float]) -> float:
    """As `statistics.median`, ten times as fast: it is asked a million times."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


#: With `--expect-undecided` one in so many may drown in noise; a gate that sees less than the rest sees nothing.
NOISY_PART = 4


def exit_code(judged: Sequence[Judged], *, expect_undecided: bool = False) -> int:
    """1: something became slower. 2: something could not be judged. 0: neither.

    `expect_undecided`: a few that cannot be told from noise are no failure, for who cannot choose the machine.
    """
    states = [one.state for one in judged]
    if "slower" in states:
        return 1
    undecided = states.count("undecided")
    noise_is_fine = expect_undecided and undecided * NOISY_PART <= len(states)
    return 2 if not judged or {"new", "gone"} & {*states} or (undecided and not noise_is_fine) else 0


def changes(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """What a new baseline says otherwise than the old one, in sentences."""
    told = [f"{name}: ratio {was:.3g} -> {now[name]:.3g}" for name, was in before.items() if name in now]
    told += [f"{name}: new, ratio {now[name]:.3g}" for name in now if name not in before]
    return told + [f"{name}: no longer measured" for name in before if name not in now]
