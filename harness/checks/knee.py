"""The knee: the highest rate at which every service level holds, looked for several times over. Pure.

One search raises the rate by steps until a step does not hold, then halves the gap until it is small enough. A step
*holds* when its numbers are met, not merely not refuted: unknown is never a pass. The knee of one search is the highest
rate that held below the lowest that did not. What is claimed is what held in every search.

A step that does not hold is asked again, and judged by everything that was seen at its rate: a second without the
processor is the machine's, and would end a search far below the knee; and what was not shown either way wants more of
the same. Refuted by two together, or not shown to hold by three, it does not hold.

The searches take turns, step by step: a machine that is slower for two minutes is slower for all of them, where one
after the other it would part the searches. Each begins at a rate of its own, so that they ask for different rates:
equal ones would give equal knees by arithmetic alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.checks import slo
from harness.checks.load import LAG_MS, Seen, percentile, uncorrected_ms
from harness.records import LoadKnee, LoadStep, SloResult

Limit = Literal["", "target", "generator", "unclear"]

#: Knees of one machine that lie further apart than this are none.
SPREAD_PERCENT = 15.0
#: What a step has to meet by itself; the availability's 3,000 requests are judged over all steps that held.
_DECISIVE = (slo.WEBHOOK_P95, slo.DISPATCH_P95, slo.SUCCESS_RATE)
#: What stood in the way: the least certain of the searches speaks for all.
_LIMITS: tuple[Limit, ...] = ("generator", "unclear", "target")
_RISE = 2.0
_MOST_TIMES = 3
_LEAST_PER_S = 1.0


@dataclass(slots=True)
class KneeSearch:
    """One search: which rate comes next, and what is known so far."""

    begin_per_s: float
    resolution: float
    low_per_s: float = 0.0
    """The highest rate that held."""
    high_per_s: float = math.inf
    """The lowest that did not."""

    def next_per_s(self) -> float | None:
        """The rate of the next step; None once the gap is small enough, or nothing holds at all."""
        if not self.low_per_s and math.isinf(self.high_per_s):
            return self.begin_per_s
        if math.isinf(self.high_per_s):
            return self.low_per_s * _RISE
        if not self.low_per_s:
            lower = self.high_per_s / _RISE
            return lower if lower >= _LEAST_PER_S else None
        if self.high_per_s / self.low_per_s <= 1 + self.resolution:
            return None
        return math.sqrt(self.low_per_s * self.high_per_s)  # half-way in proportion: rates differ by factors

    def told(self, rate_per_s: float, *, held: bool) -> None:
        """Learn from one step. What does not hold after more did is believed: the lower one counts."""
        if held and rate_per_s < self.high_per_s:
            self.low_per_s = max(self.low_per_s, rate_per_s)
        elif not held:
            self.high_per_s = min(self.high_per_s, rate_per_s)
            self.low_per_s = self.low_per_s if self.low_per_s < rate_per_s else 0.0


def settled(steps: Sequence[LoadStep]) -> bool | None:
    """Whether a rate holds, by the steps of one search that asked for it, each with those before; None: once more."""
    last = steps[-1]
    if last.held:
        return True
    return False if len(steps) >= _MOST_TIMES or (len(steps) > 1 and last.limited_by != "unclear") else None


class Turns:
    """Several searches, a step of each in turn; their first rates lie apart by parts of what they can tell apart."""

    def __init__(self, begin_per_s: float, *, repeats: int, resolution: float) -> None:
        gap = _RISE  # as wide as the last one of a search will be: the begins share it out
        while gap > 1 + resolution:
            gap = math.sqrt(gap)
        begins = [begin_per_s * gap ** (number / repeats) for number in range(repeats)]
        self._searches = [KneeSearch(begin_per_s=begin, resolution=resolution) for begin in begins]
        self._asked: list[list[LoadStep]] = [[] for _ in begins]
        self._last = repeats

    def next(self) -> tuple[int, float, int] | None:
        """Whose turn it is (from 1), its rate, and for which time it asks for that; None when all know their knee."""
        count = len(self._searches)
        for number in [*range(self._last + 1, count + 1), *range(1, self._last + 1)]:
            rate_per_s = self._searches[number - 1].next_per_s()
            if rate_per_s is not None:
                self._last = number
                return number, rate_per_s, len(self._asked[number - 1]) + 1
        return None

    def told(self, one: LoadStep, rate_per_s: float) -> None:
        """Learn from a step of the search that `one.repeat` names."""
        asked = self._asked[one.repeat - 1]
        asked.append(one)
        if (held := settled(asked)) is not None:
            self._searches[one.repeat - 1].told(rate_per_s, held=held)
            asked.clear()

    def finished(self) -> set[int]:
        """The searches that know their knee, or that nothing holds."""
        return {number for number, one in enumerate(self._searches, 1) if one.next_per_s() is None}


def step(seen: Seen, results: Sequence[SloResult], *, repeat: int, rate_per_s: float, duration_s: float) -> LoadStep:
    """One step, judged: `results` are those of `load.judge`. `duration_s` is that of all the samples."""
    samples = seen.samples
    webhooks = [one for one in samples if one.is_webhook]
    lag_ms = percentile([one.lag_ms for one in samples], 0.99) or 0.0
    by_name = {one.name: one for one in results}
    missed = [one for name, one in by_name.items() if "," not in name and one.met is False]
    undecided = [by_name[name] for name in _DECISIVE if name in by_name and by_name[name].met is None]
    generator = lag_ms > LAG_MS
    if generator:
        why = f"the generator was late itself: {lag_ms:.1f} ms at p99, {LAG_MS:.0f} allowed"
    elif missed:
        why = "; ".join(f"{one.name} {_figure(one)}" for one in missed)
    elif undecided:
        why = "not shown to hold: " + "; ".join(f"{one.name} {_figure(one)}" for one in undecided)
    else:
        why = ""
    dispatch = by_name.get(slo.DISPATCH_P95)
    corrected = [one.corrected_ms for one in webhooks]
    return LoadStep(
        repeat=repeat,
        planned_per_s=round(rate_per_s, 2),
        achieved_per_s=round(len(samples) / max(duration_s, *(one.sent_s for one in samples)), 2),
        requests=len(samples),
        failures=sum(not one.accepted for one in samples),
        ack_p95_ms=_finite(percentile(corrected, 0.95)),
        ack_p99_ms=_finite(percentile(corrected, 0.99)),
        uncorrected_p95_ms=_finite(percentile(uncorrected_ms(webhooks), 0.95)),
        uncorrected_p99_ms=_finite(percentile(uncorrected_ms(webhooks), 0.99)),
        dispatch_p95_s=dispatch.measured if dispatch else None,
        scheduler_lag_p99_ms=round(lag_ms, 3),
        held=not why,
        limited_by="" if not why else "generator" if generator else "target" if missed else "unclear",
        why=why,
    )


def _figure(one: SloResult) -> str:
    if one.measured is None:
        return "was not measured" if not one.samples else "was not answered in time"
    return f"{one.measured:.4g} {one.unit}"


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 3)


def confirmed_by(*, gateways: int) -> int:
    """Webhooks at the claimed rate that decide every number: enough of each gateway, which are drawn, and of all."""
    return max(slo.MIN_REQUESTS, round(1.1 * slo.MIN_SAMPLES * gateways))


def conclude(
    steps: Sequence[LoadStep], *, repeats: int, average_day_per_s: float, finished: Collection[int]
) -> LoadKnee:
    """What all searches say together; `finished` are those (from 1) that came to their end."""
    knees = [_knee_of([one for one in steps if one.repeat == number]) for number in sorted(finished)]
    found = [low for low, _, _ in knees]
    low, middle = (min(found), sorted(found)[(len(found) - 1) // 2]) if found else (0.0, 0.0)
    highs = [high for _, high, _ in knees if high is not None]
    spread = 100 * (max(found) - low) / middle if middle else None
    limits = [limit for _, _, limit in knees]
    known = LoadKnee(
        steps=tuple(steps),
        knees_per_s=tuple(found),
        knee_per_s=middle or None,
        low_per_s=low or None,
        high_per_s=max(highs) if highs else None,
        spread_percent=None if spread is None else round(spread, 1),
        limited_by=next((one for one in _LIMITS if one in limits), ""),
        times_average_day=round(low / average_day_per_s, 2) if low else None,
        decided=len(finished) >= max(repeats, 3) and low > 0 and spread is not None and spread <= SPREAD_PERCENT,
        sentence="",
    )
    return replace(known, sentence=_sentence(known, len(finished), max(repeats, 3)))


def _knee_of(steps: Sequence[LoadStep]) -> tuple[float, float | None, Limit]:
    """The highest rate that held under the lowest that did not; that one; and what stood in its way."""
    asked = _asked(steps)
    failed = min((times[-1] for times in asked if not settled(times)), key=lambda one: one.planned_per_s, default=None)
    held = [times[-1].planned_per_s for times in asked if settled(times)]
    if failed is None:
        return max(held, default=0.0), None, ""
    below = [rate for rate in held if rate < failed.planned_per_s]
    return max(below, default=0.0), failed.planned_per_s, failed.limited_by


def _asked(steps: Sequence[LoadStep]) -> list[list[LoadStep]]:
    """The steps of each rate that a search asked for, each judged with those before it."""
    found: dict[tuple[int, float], list[LoadStep]] = {}
    for one in steps:
        found.setdefault((one.repeat, one.planned_per_s), []).append(one)
    return list(found.values())


def last_of_each(steps: Sequence[LoadStep]) -> list[LoadStep]:
    """One step for each rate of a search: the last one, which counts all samples at that rate."""
    return [times[-1] for times in _asked(steps)]


def refuted_at(steps: Sequence[LoadStep], *, at_most_per_s: float) -> LoadStep | None:
    """A rate up to that one which was asked for until it was sure that the target does not hold it."""
    sure = [
        times[-1]
        for times in _asked(steps)
        if times[-1].limited_by == "target" and (times[-1].repeat == 0 or settled(times) is False)
    ]
    return next((one for one in sure if one.planned_per_s <= at_most_per_s), None)


def _sentence(found: LoadKnee, finished: int, repeats: int) -> str:
    if not finished:
        return "The knee was not found: no search came to its end in the time that there was."
    if found.low_per_s is None or found.knee_per_s is None:
        return "The knee was not found: in one search or more no rate held at all."
    low = f"{found.low_per_s:.4g}/s"
    apart = f"{finished} of {repeats} searches, {found.spread_percent or 0:.0f} % apart"
    if found.spread_percent is not None and found.spread_percent > SPREAD_PERCENT:
        seen = f"It held {low} in each ({found.times_average_day or 0.0:.1f} times the average day)."
        return f"The knee is not known: {apart}, and {SPREAD_PERCENT:.0f} % are allowed. {seen}"
    if not found.decided:
        return f"The knee is not known: {apart}. It held {low} in each that came to its end."
    upper = f" and did not at {found.high_per_s:.4g}/s" if found.high_per_s is not None else ""
    told = f"it held {low} in every search{upper}; knee {found.knee_per_s:.4g}/s; {apart}"
    whose = {
        "generator": " This is the generator's limit, not the target's.",
        "unclear": " At the next rate nothing was refuted, and nothing shown.",
    }
    times = found.times_average_day or 0.0
    return f"The target holds {times:.1f}× the plan's average day: {told}.{whose.get(found.limited_by, '')}"
