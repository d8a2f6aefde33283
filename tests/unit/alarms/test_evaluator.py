"""CloudWatch's evaluation against AWS's documented examples (facts/aws_pagerduty.md, 2.9 to 2.15)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.alarms import evaluator
from harness.alarms.evaluator import Alarm, BadAlarm, Math, Missing, Point, StatQuery, Watched
from harness.alarms.metrics import MetricId, Metrics, Summary
from tests.rows import each_row

METRIC = MetricId.of("golive", "depth", {"Queue": "dlq"})
RULES: tuple[Missing, ...] = ("missing", "ignore", "breaching", "notBreaching")
T0 = 1_772_352_000  # 2026-03-01 08:00:00 UTC


def alarm(**changed: Any) -> Alarm:
    """3 of 3 minutes above 10."""
    given: dict[str, Any] = {
        "name": "deep",
        "metrics": (StatQuery(id="m1", metric=METRIC, stat="Maximum"),),
        "period_s": 60,
        "evaluation_periods": 3,
        "datapoints_to_alarm": 3,
        "comparison": "GreaterThanThreshold",
        "threshold": 10.0,
        "alarm_actions": ("page",),
        "ok_actions": ("page",),
    }
    return Alarm(**(given | changed))


def line(text: str) -> Sequence[Point]:
    """AWS's notation, oldest first: 0 is fine, X breaching, - missing."""
    known = {"0": 1.0, "X": 11.0, "-": None}
    return [Point(start_s=60.0 * n, value=known[one], samples=1) for n, one in enumerate(text.split())]


def filled(*values: float | None, start_s: float = T0) -> Metrics:
    metrics = Metrics()
    for n, value in enumerate(values):
        if value is not None:
            metrics.put_value(METRIC, start_s + 60 * n, value)
    return metrics


# AWS's two tables: M of N, the five points, then missing, ignore, breaching, notBreaching; None keeps the state.
TABLE = [
    (3, "0 - X - X", "OK", "OK", "OK", "OK"),
    (3, "0 - - - -", "OK", "OK", "OK", "OK"),
    (3, "- - - - -", "INSUFFICIENT_DATA", None, "ALARM", "OK"),
    (3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (3, "- - X - -", "ALARM", None, "ALARM", "OK"),
    (2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
    (2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
    (2, "- - - X -", "ALARM", None, "ALARM", "OK"),
    # The guard against an early ALARM (2.11).
    (3, "- - - - X", "INSUFFICIENT_DATA", None, "ALARM", "OK"),
    (3, "- - - X -", "INSUFFICIENT_DATA", None, "ALARM", "OK"),
]


@each_row(("m", "text", "answers"), [(m, text, answers) for m, text, *answers in TABLE])
def test_the_documented_examples(m: int, text: str, answers: list[str | None]) -> None:
    found = [evaluator.judge(alarm(datapoints_to_alarm=m, treat_missing=rule), line(text)).state for rule in RULES]
    assert found == answers


@each_row(
    ("comparison", "below", "at", "above"),
    [
        ("GreaterThanThreshold", False, False, True),
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_the_datapoint_is_the_left_operand(comparison: Any, *, below: bool, at: bool, above: bool) -> None:
    one = alarm(comparison=comparison)
    assert [one.breaches(value) for value in (9.9, 10.0, 10.1)] == [below, at, above]


def test_the_window_slides_by_a_minute() -> None:
    """A period of five minutes is minutes 1 to 5, then 2 to 6: never the wall clock's fives."""
    one = alarm(
        period_s=300,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        metrics=(StatQuery(id="m1", metric=METRIC, stat="Sum"),),
    )
    metrics = filled(0, 0, 4, 4, 4, 0, 0, 0)
    fired = [evaluator.points(one, metrics, T0 + 60 * n + 5)[-1] for n in range(1, 9)]
    assert [(point.start_s - T0) / 60 for point in fired] == [-4, -3, -2, -1, 0, 1, 2, 3]
    assert [point.value for point in fired] == [0, 0, 4, 8, 12, 12, 12, 8]


def test_the_minute_that_is_still_filling_is_not_judged() -> None:
    one = alarm(evaluation_periods=1, datapoints_to_alarm=1)
    metrics = filled(1, 99)
    assert [evaluator.points(one, metrics, T0 + at)[-1].value for at in (60, 119, 120)] == [1, 1, 99]


def test_high_resolution_slides_by_ten_seconds() -> None:
    one = alarm(period_s=10, evaluation_periods=1, datapoints_to_alarm=1)
    metrics = Metrics()
    metrics.put_value(METRIC, T0 + 10, 7)
    assert [evaluator.points(one, metrics, T0 + at)[-1].value for at in (19, 20, 29, 30)] == [None, 7, 7, None]


def test_another_set_of_dimensions_is_another_metric() -> None:
    for dimensions in ({}, {"Queue": "other"}, {"Queue": "dlq", "Region": "x"}):
        metrics = Metrics()
        for n in range(5):
            metrics.put_value(MetricId.of("golive", "depth", dimensions), T0 + 60 * n, 99)
        assert Watched(alarm=alarm()).step(metrics, T0 + 300)[1] is None


def test_a_unit_reads_only_what_was_published_with_it() -> None:
    one = alarm(metrics=(StatQuery(id="m1", metric=METRIC, stat="Maximum", unit="Seconds"),))
    metrics = Metrics()
    metrics.put_value(METRIC, T0, 99, unit="Count")
    metrics.put_value(METRIC, T0, 5, unit="Seconds")
    assert evaluator.points(one, metrics, T0 + 60)[-1].value == 5


def walk(one: Alarm, metrics: Metrics, minutes: int) -> list[tuple[int, str, tuple[str, ...]]]:
    watched, told = Watched(alarm=one), []
    for minute in range(1, minutes + 1):
        watched, change = watched.step(metrics, T0 + 60 * minute)
        if change:
            told.append((minute, f"{change.old}>{change.new}", change.actions))
    return told


def test_actions_run_on_a_change_only() -> None:
    metrics = filled(*[1] * 4, *[50] * 30, *[1] * 5)
    assert walk(alarm(), metrics, 39) == [
        (1, "INSUFFICIENT_DATA>OK", ("page",)),
        (7, "OK>ALARM", ("page",)),
        (35, "ALARM>OK", ("page",)),
    ]
    assert [actions for _, _, actions in walk(alarm(actions_enabled=False), metrics, 39)] == [(), (), ()]


def test_each_state_has_its_own_actions() -> None:
    one = alarm(alarm_actions=("a",), ok_actions=(), insufficient_data_actions=("i",))
    told = walk(one, filled(1, 1, 1, 50, 50, 50), 20)
    assert told == [
        (1, "INSUFFICIENT_DATA>OK", ()),
        (6, "OK>ALARM", ("a",)),
        # The last real points are judged as long as they lie in the range of five (2.8): X X X, then two, then one.
        (11, "ALARM>INSUFFICIENT_DATA", ("i",)),
    ]


def test_math_is_watched_instead_of_its_metrics() -> None:
    failed = MetricId.of("golive", "failed")
    one = alarm(
        metrics=(
            StatQuery(id="total", metric=METRIC, stat="Sum"),
            StatQuery(id="failed", metric=failed, stat="Sum"),
        ),
        math=Math(id="rate", expression="IF(total >= 20, 100 * FILL(failed, 0) / total, 0)"),
        evaluation_periods=1,
        datapoints_to_alarm=1,
        threshold=5,
    )
    metrics = filled(100, 100, 19, 100)
    metrics.put_value(failed, T0 + 60, 6)
    metrics.put_value(failed, T0 + 120, 19)
    assert [point.value for point in evaluator.points(one, metrics, T0 + 240, extra=3)] == [0, 6, 0, 0]
    assert [told[:2] for told in walk(one, metrics, 4)] == [
        (1, "INSUFFICIENT_DATA>OK"),
        (2, "OK>ALARM"),
        (3, "ALARM>OK"),
    ]


@each_row(("stat", "few", "enough"), [("p99", 999, 1000), ("p95", 199, 200), ("p50", 19, 20)])
def test_few_samples_hold_the_state_of_a_percentile(stat: str, few: int, enough: int) -> None:
    def state(samples: int, low: Any) -> str:
        metrics = Metrics()
        metrics.put(METRIC, T0, Summary.of_values([50.0], [samples]))
        one = alarm(
            metrics=(StatQuery(id="m1", metric=METRIC, stat=stat),),
            evaluation_periods=1,
            datapoints_to_alarm=1,
            low_samples=low,
        )
        return Watched(alarm=one, state="OK").step(metrics, T0 + 60)[0].state

    assert [state(few, "ignore"), state(enough, "ignore"), state(few, "evaluate")] == ["OK", "ALARM", "ALARM"]


def test_the_reason_is_cloudwatchs() -> None:
    one = alarm(evaluation_periods=1, datapoints_to_alarm=1, threshold=0.0)
    watched, change = Watched(alarm=one, state="OK").step(filled(4.0), T0 + 60)
    assert change is not None
    assert watched.reason == change.reason
    assert change.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [4.0 (01/03/26 08:00:00)] was greater than the threshold "
        "(0.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(change.reason_data)
    assert (data["version"], data["statistic"], data["period"], data["threshold"]) == ("1.0", "Maximum", 60, 0.0)
    assert data["queryDate"] == "2026-03-01T08:01:00.000+0000"
    assert data["startDate"] == "2026-03-01T08:00:00.000+0000"
    assert data["recentDatapoints"] == [4.0]
    assert data["evaluatedDatapoints"] == [{"timestamp": data["startDate"], "sampleCount": 1.0, "value": 4.0}]

    _, change = Watched(alarm=alarm(datapoints_to_alarm=2), state="ALARM").step(filled(1, 50, 2), T0 + 180)
    assert change is not None
    assert change.reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [2.0 (01/03/26 08:02:00), 1.0 (01/03/26 08:00:00)] were not "
        "greater than the threshold (10.0) (minimum 2 datapoints for ALARM -> OK transition)."
    )
    _, change = Watched(alarm=alarm(treat_missing="breaching"), state="OK").step(Metrics(), T0)
    assert change is not None
    assert change.reason == (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
        "[Breaching]."
    )


def test_a_long_reason_fits() -> None:
    one = alarm(evaluation_periods=100, datapoints_to_alarm=100)
    _, change = Watched(alarm=one, state="OK").step(filled(*[50] * 100), T0 + 6000)
    assert change is not None
    assert len(change.reason) == evaluator.MAX_REASON


@each_row(
    ("changed", "named"),
    [
        ({"period_s": 45}, "Period"),
        ({"period_s": 0}, "Period"),
        ({"evaluation_periods": 0, "datapoints_to_alarm": 0}, "EvaluationPeriods"),
        ({"datapoints_to_alarm": 4}, "DatapointsToAlarm"),
        ({"evaluation_periods": 1441, "datapoints_to_alarm": 1}, "86400"),
        ({"period_s": 3600, "evaluation_periods": 169, "datapoints_to_alarm": 1}, "604800"),
        ({"comparison": "GreaterThanUpperThreshold"}, "ComparisonOperator"),
        ({"metrics": ()}, "Metrics"),
        ({"metrics": alarm().metrics * 2}, "ids of their own"),
        ({"metrics": (*alarm().metrics, replace(alarm().metrics[0], id="m2"))}, "expression to watch"),
        ({"math": Math(id="e1", expression="m1 + m7")}, "m7"),
        ({"ok_actions": tuple("abcdef")}, "five actions"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(BadAlarm, match=named):
        alarm(**changed)


CELLS = st.lists(st.sampled_from("0X-"), min_size=1, max_size=9).map(" ".join)


@given(text=CELLS, n=st.integers(1, 7), rule=st.sampled_from(RULES))
def test_a_larger_m_never_makes_an_alarm(text: str, n: int, rule: Missing) -> None:
    def alarmed(m: int) -> bool:
        one = alarm(evaluation_periods=n, datapoints_to_alarm=m, treat_missing=rule)
        return evaluator.judge(one, line(text)).state == "ALARM"

    assert all(less or not more for less, more in pairwise(alarmed(m) for m in range(1, n + 1)))


@given(text=CELLS, at=st.integers(0, 8), n=st.integers(1, 7), m=st.integers(1, 7), rule=st.sampled_from(RULES))
def test_one_more_breaching_point_never_ends_an_alarm(text: str, at: int, n: int, m: int, rule: Missing) -> None:
    cells = text.split()
    worse = [*cells]
    if cells[at % len(cells)] == "0":
        worse[at % len(cells)] = "X"
    one = alarm(evaluation_periods=n, datapoints_to_alarm=min(m, n), treat_missing=rule)
    before, after = (evaluator.judge(one, line(" ".join(each))).state for each in (cells, worse))
    assert before != "ALARM" or after == "ALARM"


@given(text=CELLS, n=st.integers(1, 7), m=st.integers(1, 7))
def test_with_enough_real_points_the_rule_for_missing_ones_is_not_asked(text: str, n: int, m: int) -> None:
    real = len(text.replace("-", "").split())
    states = {
        evaluator.judge(
            alarm(evaluation_periods=n, datapoints_to_alarm=min(m, n), treat_missing=rule), line(text)
        ).state
        for rule in RULES
    }
    if real >= n:
        assert len(states) == 1
    assert states <= {"OK", "ALARM", "INSUFFICIENT_DATA", None}


@given(text=CELLS, n=st.integers(1, 7), m=st.integers(1, 7))
def test_breaching_alarms_wherever_another_rule_does(text: str, n: int, m: int) -> None:
    def state(rule: Missing) -> str | None:
        one = alarm(evaluation_periods=n, datapoints_to_alarm=min(m, n), treat_missing=rule)
        return evaluator.judge(one, line(text)).state

    strictest = state("breaching")
    assert strictest == "ALARM" or all(state(rule) != "ALARM" for rule in ("missing", "ignore", "notBreaching"))
    assert state("notBreaching") in ("OK", "ALARM")
