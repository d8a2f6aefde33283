"""The course of a load run, made small enough for a report: quantiles for each step of time, and a histogram. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from harness.checks.load import Sample, accepted_at_s, percentile, uncorrected_ms
from harness.records import LoadDistribution, LoadMark, LoadSeries

#: Steps of time in a report, at most; a longer run has longer steps.
MOST_STEPS = 400
#: Of the histogram: from 1 ms to a minute, so many steps for each factor of ten.
_PER_DECADE = 16
_FIRST_MS, _LAST_MS = 1.0, 60_000.0
#: A target that answers nothing for so long, although it was asked so often, has stalled.
STALL_S = 1.0
STALL_REQUESTS = 5
#: A reading is believed for so long where no other came.
HOLDS_S = 3.0

Readings = Sequence[tuple[float, float]]
"""(seconds from the start, value), in order."""


def series(
    samples: Sequence[Sample], counted_at_s: Mapping[str, float], *, queue: Readings = (), memory_mb: Readings = ()
) -> LoadSeries:
    """Webhooks by the second in which they were due (longer steps where the run is long), and what waited."""
    ends_s = max(*(one.answered_s for one in samples), *counted_at_s.values(), 0.0)
    step_s = float(max(1, math.ceil(ends_s / MOST_STEPS)))
    count = int(ends_s / step_s) + 1
    due: list[list[Sample]] = [[] for _ in range(count)]
    for one in samples:
        if one.is_webhook:
            due[min(int(one.due_s / step_s), count - 1)].append(one)
    ends = [(number + 1) * step_s for number in range(count)]
    return LoadSeries(
        step_s=step_s,
        due=tuple(len(one) for one in due),
        failed=tuple(sum(not sample.accepted for sample in one) for one in due),
        p50_ms=tuple(_of(one, 0.5) for one in due),
        p95_ms=tuple(_of(one, 0.95) for one in due),
        max_ms=tuple(_of(one, 1.0) for one in due),
        backlog=_backlog(samples, counted_at_s, ends),
        queue=_at(queue, ends),
        memory_mb=_at(memory_mb, ends),
    )


def _of(samples: Sequence[Sample], share: float) -> float | None:
    """None where nothing was due; what was never answered counts as long as it was waited for."""
    waited = [max(0.0, one.answered_s - one.due_s) * 1000 for one in samples]
    found = percentile(waited, share)
    return None if found is None else round(found, 2)


def _backlog(samples: Sequence[Sample], counted_at_s: Mapping[str, float], ends: Sequence[float]) -> tuple[int, ...]:
    """Sales that the target had accepted and Meta had not yet counted, at the end of each step."""
    accepted = accepted_at_s(samples)
    came = sorted(accepted.values())
    went = sorted(max(counted_at_s[sale], at_s) for sale, at_s in accepted.items() if sale in counted_at_s)
    return tuple(bisect_right(came, at_s) - bisect_right(went, at_s) for at_s in ends)


def _at(readings: Readings, ends: Sequence[float]) -> tuple[float | None, ...]:
    """The highest reading of each step; one holds until the next look, but not for long: then nothing is known."""
    if not readings:
        return ()
    found: list[float | None] = [None] * len(ends)
    for (at_s, value), (next_s, _) in zip(readings, [*readings[1:], (math.inf, 0.0)], strict=True):
        first = min(bisect_right(ends, at_s), len(ends) - 1)
        last = min(bisect_right(ends, min(next_s, at_s + HOLDS_S)), len(ends) - 1)
        for number in range(first, max(first + 1, last)):
            found[number] = max(value, found[number] or 0.0)
    return tuple(found)


def distribution(samples: Sequence[Sample]) -> LoadDistribution:
    """How many webhooks took how long: corrected, and as a tool that waits for its answers would have seen it."""
    webhooks = [one for one in samples if one.is_webhook]
    steps = math.ceil(_PER_DECADE * math.log10(_LAST_MS / _FIRST_MS))
    edges = [round(_FIRST_MS * 10 ** (number / _PER_DECADE), 3) for number in range(steps + 1)]
    corrected = [one.corrected_ms for one in webhooks if one.status is not None]
    return LoadDistribution(
        edges_ms=tuple(edges),
        corrected=_histogram(corrected, edges),
        uncorrected=_histogram(uncorrected_ms(webhooks), edges),
        unanswered=len(webhooks) - len(corrected),
    )


def _histogram(values: Sequence[float], edges: Sequence[float]) -> tuple[int, ...]:
    """Counts between the edges; what is quicker than the first or slower than the last is in the end bars."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    return tuple(counts)


def stalls(samples: Sequence[Sample]) -> list[LoadMark]:
    """Stretches in which nothing at all was answered although it was asked for: a freeze, whoever caused it."""
    answers = sorted(one.answered_s for one in samples if one.status is not None)
    due = sorted(one.due_s for one in samples)
    found = []
    for before, after in pairwise([0.0, *answers]):
        asked = bisect_right(due, after) - bisect_right(due, before)
        if after - before >= STALL_S and asked >= STALL_REQUESTS:
            what = f"nothing was answered for {after - before:.1f} s"
            found.append(LoadMark(what=what, from_s=round(before, 2), until_s=round(after, 2), kind="stall"))
    return found
