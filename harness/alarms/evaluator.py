"""CloudWatch's alarm evaluation: pure functions of an alarm, its metrics and a time. No I/O, no clock.

Source: /work/shared/facts/aws_pagerduty.md, section 2; the numbers in docstrings are its paragraphs. What AWS leaves
open and we decided is marked "ours".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from harness.alarms import maths
from harness.alarms.metrics import MetricId, Metrics, is_percentile, percent

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["missing", "notBreaching", "breaching", "ignore"]
Comparison = Literal[
    "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]

#: How many datapoints more than N are fetched: AWS's example fetches 5 for N = 3, and publishes no rule (2.6).
EXTRA_POINTS = 2
INITIAL_REASON = "Unchecked: Initial alarm creation"
MAX_REASON = 1023
_MAX_DAY_S, _MAX_WEEK_S = 86_400, 604_800

#: The datapoint is the left operand (2.4); the words are the ones of the reason (2.20).
_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (lambda a, b: a > b, "greater than"),
    "GreaterThanOrEqualToThreshold": (lambda a, b: a >= b, "greater than or equal to"),
    "LessThanThreshold": (lambda a, b: a < b, "less than"),
    "LessThanOrEqualToThreshold": (lambda a, b: a <= b, "less than or equal to"),
}


class BadAlarm(ValueError):
    """PutMetricAlarm would refuse it, or it is none that we evaluate; the message names the property."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatQuery:
    """One metric with its statistic; Period is the alarm's."""

    id: str
    metric: MetricId
    stat: str
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Math:
    """An expression over the alarm's metrics: the series that it watches (1.20)."""

    id: str
    expression: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A metric alarm, whole; checked when it is made.

    Raises:
        BadAlarm: CloudWatch would refuse it.
    """

    name: str
    description: str = ""
    metrics: tuple[StatQuery, ...]
    math: Math | None = None
    """None: the one metric is watched."""
    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    comparison: Comparison
    threshold: float
    treat_missing: Missing = "missing"
    low_samples: Literal["evaluate", "ignore"] = "evaluate"
    actions_enabled: bool = True
    alarm_actions: tuple[str, ...] = ()
    ok_actions: tuple[str, ...] = ()
    insufficient_data_actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for wrong, why in self._mistakes():
            if wrong:
                raise BadAlarm(f"{self.name}: {why}.")

    def _mistakes(self) -> Sequence[tuple[bool, str]]:
        period, n = self.period_s, self.evaluation_periods
        span, longest = period * n, _MAX_DAY_S if period < 3600 else _MAX_WEEK_S
        ids = {one.id for one in self.metrics}
        read = maths.names(self.math.expression) if self.math else ids
        return (
            (period <= 0 or (period not in (10, 20, 30) and period % 60 != 0), "Period is 10, 20, 30 or whole minutes"),
            (n < 1, "EvaluationPeriods is 1 or more"),
            (not 1 <= self.datapoints_to_alarm <= n, "DatapointsToAlarm is between 1 and EvaluationPeriods"),
            (span > longest, f"Period times EvaluationPeriods is {span} s; at most {longest} s are taken (2.1)"),
            (self.comparison not in _COMPARISONS, f"ComparisonOperator {self.comparison!r} is not evaluated here"),
            (not self.metrics or len(ids) != len(self.metrics), "Metrics need ids of their own, and one at the least"),
            (self.math is None and len(self.metrics) != 1, "several metrics need an expression to watch"),
            (bool(read - ids), f"the expression reads {', '.join(sorted(read - ids))}, which Metrics lacks"),
            (any(len(actions) > 5 for actions in self._lists()), "there are at most five actions for a state (2.15)"),
        )

    def _lists(self) -> tuple[tuple[str, ...], ...]:
        return self.alarm_actions, self.ok_actions, self.insufficient_data_actions

    def actions(self, state: State) -> tuple[str, ...]:
        """What runs when the alarm comes into that state; nothing where actions are off."""
        if not self.actions_enabled:
            return ()
        return dict(zip(("ALARM", "OK", "INSUFFICIENT_DATA"), self._lists(), strict=True))[state]

    def breaches(self, value: float) -> bool:
        """Whether a datapoint is on the wrong side."""
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One datapoint of the watched series."""

    start_s: float
    """The start of its period, which is its stamp (1.9)."""
    value: float | None
    samples: float
    """Of the metric's raw data; of math, the fewest of its metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the datapoints say. `state` is None where the alarm keeps the state that it has."""

    state: State | None
    evaluated: tuple[Point, ...]
    """The real points that were judged, oldest first."""


def points(alarm: Alarm, metrics: Metrics, now_s: float, *, extra: int = EXTRA_POINTS) -> Sequence[Point]:
    """The evaluation range, oldest first: N and `extra` periods that end with the last whole minute.

    The window slides (2.3): a period of five minutes is minutes 1 to 5, then 2 to 6. High resolution slides by 10 s.
    Only whole minutes are looked at, although CloudWatch shows partial ones (1.9): ours, so that a half-filled Sum
    below a threshold is no breach.
    """
    grain_s = 60 if alarm.period_s >= 60 else 10
    end_s = now_s // grain_s * grain_s
    count = alarm.evaluation_periods + extra
    starts = [end_s - (count - index) * alarm.period_s for index in range(count)]
    columns: dict[str, list[float | None]] = {}
    samples = [float("inf")] * count
    for query in alarm.metrics:
        found = [metrics.period(query.metric, start, alarm.period_s, unit=query.unit) for start in starts]
        columns[query.id] = [None if one is None else one.statistic(query.stat) for one in found]
        samples = [min(known, 0.0 if one is None else one.count) for known, one in zip(samples, found, strict=True)]
    values: maths.Series = (
        columns[alarm.metrics[0].id]
        if alarm.math is None
        else maths.evaluate(alarm.math.expression, columns, slots=count)
    )
    return [
        Point(start_s=start, value=value, samples=weight)
        for start, value, weight in zip(starts, values, samples, strict=True)
    ]


def judge(alarm: Alarm, found: Sequence[Point]) -> Judged:
    """The rules of missing data (2.7), which give AWS's two tables (2.9, 2.10) and its guard (2.11).

    (a) N real points or more: the newest N real ones are judged, TreatMissingData is not asked, even where some of the
    newest are missing. (b) fewer: all real ones of the range, and fillers up to N.
    """
    n = alarm.evaluation_periods
    real = [one for one in found if one.value is not None]
    if len(real) >= n:
        judged = tuple(real[-n:])
        return Judged(state=_crossed(alarm, _breaching(alarm, judged)), evaluated=judged)
    return Judged(state=_sparse(alarm, found, real), evaluated=tuple(real))


def _crossed(alarm: Alarm, breaching: int) -> State:
    return "ALARM" if breaching >= alarm.datapoints_to_alarm else "OK"


def _breaching(alarm: Alarm, judged: Sequence[Point]) -> int:
    return sum(1 for one in judged if one.value is not None and alarm.breaches(one.value))


def _sparse(alarm: Alarm, found: Sequence[Point], real: Sequence[Point]) -> State | None:
    """Fewer real points than N (2.7c, 2.12). None: the state is kept."""
    breaching = _breaching(alarm, real)
    if alarm.treat_missing == "breaching":
        return _crossed(alarm, breaching + alarm.evaluation_periods - len(real))
    if alarm.treat_missing == "notBreaching" or breaching >= alarm.datapoints_to_alarm:
        return _crossed(alarm, breaching)
    if breaching < len(real):
        return "OK"
    if alarm.treat_missing == "ignore":
        return None
    # Only breaching points, and too few: an ALARM only once the oldest of them is M positions old, so that one early
    # datapoint of three does not page before its fellows can arrive (2.11).
    ages = [len(found) - index for index, one in enumerate(found) if one.value is not None]
    return "ALARM" if ages and ages[0] >= alarm.datapoints_to_alarm else "INSUFFICIENT_DATA"


def too_few_samples(alarm: Alarm, found: Sequence[Point]) -> bool:
    """Whether a percentile's state is held because there are few samples (2.14).

    Few: below 10 / (1 - p) from the median up, below 10 / p under it: p99 wants 1000, p95 200, p50 20. They are counted
    over the newest N points of the range (ours: AWS says "during the evaluation period").
    """
    query = alarm.metrics[0]
    if alarm.low_samples != "ignore" or alarm.math is not None or not is_percentile(query.stat):
        return False
    share = percent(query.stat) / 100
    wanted = 10 / (share if share < 0.5 else max(1 - share, 1e-12))
    have = sum(one.samples for one in found[-alarm.evaluation_periods :])
    return 0 < have < wanted - 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of state, with all that its notification tells."""

    alarm: Alarm
    at_s: float
    old: State
    new: State
    reason: str
    reason_data: str
    """StateReasonData: JSON as a string (2.22). It is not part of the SNS message."""
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An alarm and its present state; `step` gives the next one."""

    alarm: Alarm
    state: State = "INSUFFICIENT_DATA"
    reason: str = INITIAL_REASON

    def step(self, metrics: Metrics, now_s: float, *, extra: int = EXTRA_POINTS) -> tuple[Self, Transition | None]:
        """Evaluate once. Actions run on a change only (2.15), also on INSUFFICIENT_DATA to OK at the very first."""
        found = points(self.alarm, metrics, now_s, extra=extra)
        judged = judge(self.alarm, found)
        if judged.state is None or judged.state == self.state or too_few_samples(self.alarm, found):
            return self, None
        reason = state_reason(self.alarm, judged)
        change = Transition(
            alarm=self.alarm,
            at_s=now_s,
            old=self.state,
            new=judged.state,
            reason=reason,
            reason_data=state_reason_data(self.alarm, judged, now_s),
            actions=self.alarm.actions(judged.state),
        )
        return type(self)(alarm=self.alarm, state=judged.state, reason=reason), change


def state_reason(alarm: Alarm, judged: Judged) -> str:
    """What a human reads (2.20). The wording where nothing is there to be judged is ours."""
    n, m, evaluated = alarm.evaluation_periods, alarm.datapoints_to_alarm, judged.evaluated
    words = f"{_COMPARISONS[alarm.comparison][1]} the threshold ({alarm.threshold!r})"
    if not evaluated:
        return (
            f"{_treated(alarm)}: no datapoints were received for {n} period{'' if n == 1 else 's'} and {n} missing "
            f"datapoint{' was' if n == 1 else 's were'} treated as [{_treatment(alarm)}]."
        )
    told = [one for one in evaluated if alarm.breaches(one.value or 0.0) is (judged.state == "ALARM")] or evaluated
    shown = ", ".join(f"{one.value!r} ({_short(one.start_s)})" for one in reversed(told))
    direction = "OK -> ALARM" if judged.state == "ALARM" else "ALARM -> OK"
    # To leave ALARM so many must be fine that M of N cannot breach any more.
    least = m if judged.state == "ALARM" else n - m + 1
    are = "was" if len(told) == 1 else "were"
    negated = are if judged.state == "ALARM" else f"{are} not"
    whole = (
        f"Threshold Crossed: {len(told)} out of the last {n} datapoints [{shown}] {negated} {words} "
        f"(minimum {least} datapoint{'' if least == 1 else 's'} for {direction} transition)."
    )
    return whole if len(whole) <= MAX_REASON else whole[: MAX_REASON - 1] + "…"


def _treated(alarm: Alarm) -> str:
    return "Insufficient Data" if alarm.treat_missing in ("missing", "ignore") else "Threshold Crossed"


def _treatment(alarm: Alarm) -> str:
    return {"notBreaching": "NonBreaching", "breaching": "Breaching"}.get(alarm.treat_missing, "Missing")


def state_reason_data(alarm: Alarm, judged: Judged, now_s: float) -> str:
    """JSON as a string (2.22); a statistic is named for a single metric only."""
    told: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now_s)}
    if judged.evaluated:
        told["startDate"] = stamp(judged.evaluated[0].start_s)
    if alarm.math is None:
        told["statistic"] = alarm.metrics[0].stat
    told |= {
        "period": alarm.period_s,
        "recentDatapoints": [one.value for one in judged.evaluated],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [
            {"timestamp": stamp(one.start_s), "sampleCount": one.samples, "value": one.value}
            for one in reversed(judged.evaluated)
        ],
    }
    return json.dumps(told)


def stamp(at_s: float) -> str:
    """A time as CloudWatch writes it: milliseconds, and +0000 rather than Z (2.24)."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _short(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%d/%m/%y %H:%M:%S")
