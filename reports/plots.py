"""The pictures of a load run, arranged for drawing: where lines, bars, marks and words go. No markup.

Time runs to the right, linearly; latencies go up, by factors of ten, because a stall is a thousand times a good answer.
Nothing is smoothed: what a line shows are quantiles of the requests that were due in one step of time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.records import LoadDistribution, LoadKnee, LoadMark, LoadResult, LoadSeries, LoadStep, RunRecord

#: In the drawing's own units, which the browser scales to the width that there is.
WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 40
FLOOR_Y = HEIGHT - _BOTTOM
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
_MOST_TICKS = 8
#: Under this a bar or band could not be seen.
_THIN = 2.0

Place = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line in pieces: where nothing is known it is broken, not drawn through."""

    tone: str
    """The name of its style: p50, p95, max, backlog, queue, memory, corrected, uncorrected."""
    label: str
    pieces: tuple[str, ...]
    """Each as the `points` of a polyline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of time in which something was wrong."""

    x: float
    width: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One measurement."""

    x: float
    y: float
    good: bool
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A straight line across: a target, or the knee."""

    at: float
    label: str
    upright: bool = False
    label_end: bool = False
    """Whether the label ends at the line instead of beginning there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything of one picture, placed."""

    name: str
    title: str
    note: str
    summary: str
    """For who cannot see it."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    dots: tuple[Dot, ...] = ()
    rules: tuple[Rule, ...] = ()


def of(record: RunRecord) -> tuple[Picture, ...]:
    """Every picture that the run has data for."""
    load = record.load
    if load is None:
        return ()
    target_ms = next((one.target for one in record.slo if one.name == "webhook latency p95"), 200.0)
    made: list[Picture | None] = []
    if load.knee:
        made.append(knee(load.knee, target_ms=target_ms))
    if load.series:
        made += [latency(load.series, load.marks, target_ms=target_ms), backlog(load.series, load.marks)]
    if load.distribution:
        made.append(distribution(load.distribution, target_ms=target_ms))
    return tuple(one for one in made if one is not None)


# -- latency over time ---------------------------------------------------------------------------------------------


def latency(series: LoadSeries, marks: Sequence[LoadMark], *, target_ms: float) -> Picture | None:
    """Quantiles for each step of time, with the target, and with what was wrong meanwhile."""
    known = [one for one in (*series.p50_ms, *series.max_ms) if one is not None]
    if not known:
        return None
    y, y_ticks = _log_y(min(known), max(*known, target_ms))
    x, x_ticks = _time_x(series)
    worst = max(one for one in series.max_ms if one is not None)
    quantiles = (("max", "slowest", series.max_ms), ("p95", "p95", series.p95_ms), ("p50", "p50", series.p50_ms))
    one_second = series.step_s == 1
    steps = "second" if one_second else f"{series.step_s:g} seconds"
    counted = f"{len(series.p95_ms)} seconds" if one_second else f"{len(series.p95_ms)} steps of {steps}"
    over = sum(one is not None and one > target_ms for one in series.p95_ms)
    wrong = "".join(f"; {one.what} from {one.from_s:.0f} to {one.until_s:.0f} s" for one in marks)
    return Picture(
        name="latency",
        title="Webhook latency over time",
        note=f"Quantiles of the webhooks that were due in each {steps}, counted from the moment each was due.",
        summary=(
            f"Webhook latency over {_end_s(series):.0f} seconds. The slowest answer took {ms(worst)}; the p95 was over "
            f"{ms(target_ms)} in {over} of {counted}{wrong}"
        ),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        x_label="seconds from the start",
        lines=tuple(_line(tone, label, values, series.step_s, (x, y)) for tone, label, values in quantiles),
        bands=tuple(_bands(marks, x)),
        rules=(Rule(at=y(target_ms), label=f"target {ms(target_ms)} (p95)"),),
    )


def _line(tone: str, label: str, values: Sequence[float | None], step_s: float, places: tuple[Place, Place]) -> Line:
    """Each value stands in the middle of its step."""
    x, y = places
    pieces: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x((number + 0.5) * step_s):g},{y(value):g}")
    # A lone point is drawn as a short stroke: it was measured, too.
    drawn = [" ".join(one if len(one) > 1 else [one[0], one[0]]) for one in pieces if one]
    return Line(tone=tone, label=label, pieces=tuple(drawn))


def _bands(marks: Sequence[LoadMark], x: Place) -> Iterator[Band]:
    for one in marks:
        begin, end = x(one.from_s), x(one.until_s)
        yield Band(x=begin, width=max(_THIN, round(end - begin, 1)), label=one.what, kind=one.kind)


# -- what waited ---------------------------------------------------------------------------------------------------


def backlog(series: LoadSeries, marks: Sequence[LoadMark]) -> Picture | None:
    """Sales that waited for Meta, and what stood in the queue."""
    queue = [one for one in series.queue if one is not None]
    peak = max([*series.backlog, *queue], default=0)
    if not series.backlog:
        return None
    y, y_ticks = _linear_y(peak)
    x, x_ticks = _time_x(series)
    lines = [_line("backlog", "accepted, not yet counted by Meta", series.backlog, series.step_s, (x, y))]
    if queue:
        lines.append(_line("queue", "in the queue", series.queue, series.step_s, (x, y)))
    worst = max(series.backlog)
    when_s = (series.backlog.index(worst) + 1) * series.step_s
    return Picture(
        name="backlog",
        title="What waited",
        note="Sales that the target had accepted and Meta had not yet counted"
        + (", and messages in the target's queue (the highest reading of each step)." if queue else "."),
        summary=(
            f"At most {worst:,} sales waited, {when_s:.0f} seconds after the start; "
            f"at the end {series.backlog[-1]:,} waited" + (f"; at most {max(queue):,.0f} in the queue" if queue else "")
        ),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        x_label="seconds from the start",
        lines=tuple(lines),
        bands=tuple(_bands(marks, x)),
    )


# -- distribution --------------------------------------------------------------------------------------------------


def distribution(found: LoadDistribution, *, target_ms: float) -> Picture | None:
    """Which share of the webhooks took longer than that, both ways to count; down by factors of ten."""
    total = sum(found.corrected) + found.unanswered
    if not total:
        return None
    edges = found.edges_ms
    used = [number for number, count in enumerate(found.corrected) if count]
    first = max(0, (used[0] if used else 0) - 1)
    last = min(len(edges) - 1, (used[-1] if used else 0) + 2)
    low_ms, high_ms = edges[first], max(edges[last], target_ms * 1.5)
    x = _log(low_ms, high_ms, _LEFT, WIDTH - _RIGHT)
    least = 100.0 / max(total, 1_000)
    up = _log(least, 100.0, FLOOR_Y, _TOP)
    y_ticks = tuple(
        Tick(at=up(share), label=f"{share:g} %") for share in (100.0, 10.0, 5.0, 1.0, 0.1, 0.01) if share >= least
    )
    over = _slower(found.corrected, found.unanswered, edges, target_ms)
    ways = (
        ("uncorrected", "as a tool that waits would say", found.uncorrected, 0),
        ("corrected", "from the moment it was due", found.corrected, found.unanswered),
    )
    lines = [
        Line(tone=tone, label=label, pieces=(points,))
        for tone, label, counts, unanswered in ways
        if (points := _tail(counts, unanswered, edges, x, up, least=least, within=(low_ms, high_ms)))
    ]
    return Picture(
        name="distribution",
        title="How many took longer",
        note="The share of webhooks that took longer than that. The target is kept where the line passes under 5 % "
        "before it.",
        summary=(
            f"Of {total:,} webhooks about {over:.2g} % took longer than the target's {ms(target_ms)}; "
            f"{found.unanswered:,} were never answered"
        ),
        x_ticks=_ms_ticks(low_ms, high_ms, x),
        y_ticks=y_ticks,
        x_label="latency",
        lines=tuple(lines),
        rules=(
            Rule(at=x(target_ms), label=f"target {ms(target_ms)}", upright=True, label_end=x(target_ms) > WIDTH * 0.7),
            Rule(at=up(5.0), label="5 %: the p95"),
        ),
    )


def _tail(
    counts: Sequence[int],
    unanswered: int,
    edges: Sequence[float],
    x: Place,
    y: Place,
    *,
    least: float,
    within: tuple[float, float],
) -> str:
    """For each edge, which share lies beyond it; as the `points` of a polyline."""
    total = sum(counts) + unanswered
    if not total:
        return ""
    points, beyond = [], total
    for number, edge in enumerate(edges):
        share = 100 * beyond / total
        if within[0] <= edge <= within[1]:
            points.append(f"{x(edge):g},{y(max(share, least)):g}")
        if not beyond:
            break
        beyond -= counts[number] if number < len(counts) else 0
    return " ".join(points)


def _slower(counts: Sequence[int], unanswered: int, edges: Sequence[float], than_ms: float) -> float:
    """The share in % beyond the last edge that is not over `than_ms`."""
    total = sum(counts) + unanswered
    quick = sum(count for count, edge in zip(counts, edges[1:], strict=True) if edge <= than_ms)
    return 100 * (total - quick) / total


# -- the knee ------------------------------------------------------------------------------------------------------


def knee(found: LoadKnee, *, target_ms: float) -> Picture | None:
    """Rate against latency: every step of every search, and where the knee was found."""
    steps = [one for one in found.steps if one.ack_p95_ms is not None]
    if not steps:
        return None
    rates = [one.planned_per_s for one in steps]
    latencies = [one.ack_p95_ms for one in steps if one.ack_p95_ms is not None]
    x = _log(min(rates) / 1.15, max(rates) * 1.15, _LEFT, WIDTH - _RIGHT)
    y, y_ticks = _log_y(min(latencies), max(*latencies, target_ms))
    rules = [Rule(at=y(target_ms), label=f"target {ms(target_ms)} (p95)")]
    if found.low_per_s and found.decided:
        right = x(found.low_per_s) > WIDTH / 2
        rules.append(Rule(at=x(found.low_per_s), label=f"held {found.low_per_s:.4g}/s", upright=True, label_end=right))
    return Picture(
        name="knee",
        title="Throughput against latency",
        note="Each mark is one step: the p95 of its webhooks. Filled: every service level was met. Hollow: not. "
        "The rate goes by factors.",
        summary=found.sentence.removesuffix("."),
        x_ticks=tuple(Tick(at=x(rate), label=f"{rate:g}/s") for rate in _rates(rates)),
        y_ticks=y_ticks,
        x_label="webhooks a second, planned",
        dots=tuple(_dot(one, x, y) for one in steps),
        rules=tuple(rules),
    )


def _dot(one: LoadStep, x: Place, y: Place) -> Dot:
    told = "held" if one.held else one.why
    took = one.ack_p95_ms or 0.0
    label = f"{one.planned_per_s:.4g}/s: p95 {ms(took)}; {told}"
    return Dot(x=x(one.planned_per_s), y=y(took), good=one.held, label=label)


def _rates(rates: Sequence[float]) -> list[float]:
    """Round rates between the least and the greatest: 10, 20, 50, 100 …"""
    low, high = min(rates) / 1.15, max(rates) * 1.15
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [rate for decade in decades for factor in (1, 2, 5) if low <= (rate := factor * 10.0**decade) <= high]


# -- axes ----------------------------------------------------------------------------------------------------------


def _log(low: float, high: float, begin: float, end: float) -> Place:
    """From values to places, by factors; what lies outside is put on the edge."""
    spread = math.log(high / low) or 1.0

    def place(value: float) -> float:
        share = math.log(min(max(value, low), high) / low) / spread
        return round(begin + (end - begin) * share, 1)

    return place


def _log_y(low_ms: float, high_ms: float) -> tuple[Place, tuple[Tick, ...]]:
    bottom = 10.0 ** math.floor(math.log10(max(low_ms, 0.1)))
    top = high_ms * 1.4
    y = _log(bottom, top, FLOOR_Y, _TOP)
    return y, _ms_ticks(bottom, top, y)


def _ms_ticks(low_ms: float, high_ms: float, place: Place) -> tuple[Tick, ...]:
    decades = range(math.floor(math.log10(low_ms)), math.ceil(math.log10(high_ms)) + 1)
    whole = [10.0**decade for decade in decades if low_ms <= 10.0**decade <= high_ms]
    return tuple(Tick(at=place(value), label=ms(value)) for value in whole)


def _linear_y(peak: float) -> tuple[Place, tuple[Tick, ...]]:
    step = _round_step(max(peak, 1) / 4)
    top = step * math.ceil(max(peak, 1) / step)

    def place(value: float) -> float:
        return round(FLOOR_Y - (FLOOR_Y - _TOP) * value / top, 1)

    count = round(top / step)
    return place, tuple(Tick(at=place(step * one), label=f"{step * one:,.0f}") for one in range(count + 1))


def _round_step(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next((factor * decade for factor in (1, 2, 5, 10) if factor * decade >= value), 10 * decade)


def _end_s(series: LoadSeries) -> float:
    return len(series.due) * series.step_s


def _time_x(series: LoadSeries) -> tuple[Place, tuple[Tick, ...]]:
    end_s = _end_s(series) or 1.0

    def place(at_s: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(at_s, 0.0), end_s) / end_s, 1)

    step_s = next((one for one in _STEPS_S if end_s / one <= _MOST_TICKS), 3600 * math.ceil(end_s / 3600 / _MOST_TICKS))
    return place, tuple(Tick(at=place(at_s), label=f"{at_s:g} s") for at_s in range(0, int(end_s) + 1, step_s))


def ms(value: float) -> str:
    """`5 ms`, `1.2 s`: as short as an axis wants it."""
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"


# -- the table beside the pictures ---------------------------------------------------------------------------------


def both_ways(load: LoadResult) -> tuple[tuple[str, float | None, float | None], ...]:
    """Quantile, corrected, uncorrected; in ms."""
    return (
        ("p95", load.ack_p95_ms, load.uncorrected_p95_ms),
        ("p99", load.ack_p99_ms, load.uncorrected_p99_ms),
    )
