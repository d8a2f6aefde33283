"""Statistics as CloudWatch computes them (facts/aws_pagerduty.md, section 1)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.alarms.metrics import BadMetric, MetricId, Metrics, Summary, is_percentile
from tests.rows import each_row

METRIC = MetricId.of("golive", "latency_ms", {"a": "1", "b": "2"})


def test_the_five_statistics() -> None:
    found = Summary.of_values([1.0, 2.0, 9.0], [2, 1, 1])
    told = [found.statistic(name) for name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum")]
    assert told == [4, 13, 3.25, 1, 9]


def test_percentiles_weigh_the_counts() -> None:
    found = Summary.of_values([10.0, 20.0, 1000.0], [94, 1, 5])
    assert [found.statistic(name) for name in ("p50", "p94", "p95", "p95.1", "p99", "p100")] == [
        10, 10, 20, 1000, 1000, 1000,
    ]  # fmt: skip


def test_a_statistic_set_has_percentiles_only_where_all_values_were_the_same() -> None:
    assert Summary.of_set(count=3, total=6, minimum=2, maximum=2).statistic("p95") == 2
    mixed = Summary.of_set(count=3, total=6, minimum=1, maximum=3)
    assert mixed.statistic("p95") is None
    assert Summary.merged([mixed, Summary.of_values([1.0])]).statistic("p95") is None
    assert Summary.of_values([-1.0, 5.0]).statistic("p95") is None


def test_the_order_of_dimensions_means_nothing_and_their_set_is_exact() -> None:
    assert MetricId.of("golive", "latency_ms", {"b": "2", "a": "1"}) == METRIC
    metrics = Metrics()
    metrics.put_value(METRIC, 60, 5)
    assert metrics.period(METRIC, 60, 60) is not None
    assert metrics.period(MetricId.of("golive", "latency_ms", {"a": "1"}), 60, 60) is None
    assert metrics.period(MetricId.of("other", "latency_ms", {"a": "1", "b": "2"}), 60, 60) is None


def test_a_period_begins_with_its_start_and_ends_before_its_end() -> None:
    metrics = Metrics()
    for at_s in (119.9, 59.9, 60, 120):  # late ones find their place
        metrics.put_value(METRIC, at_s, at_s)
    found = metrics.period(METRIC, 60, 60)
    assert found is not None
    assert (found.minimum, found.maximum, found.count) == (60, 119.9, 2)
    assert metrics.period(METRIC, 180, 60) is None


@each_row("values", [[], [math.nan], [math.inf], [2.0**361]])
def test_what_is_no_number_is_refused(values: list[float]) -> None:
    with pytest.raises(BadMetric):
        Summary.of_values(values)


def test_counts_belong_to_values() -> None:
    for counts in ([1.0], [1.0, 0.0]):
        with pytest.raises(BadMetric):
            Summary.of_values([1.0, 2.0], counts)


@each_row("name", ["p0", "p101", "tm99", "average", "p", ""])
def test_an_unknown_statistic_is_named(name: str) -> None:
    with pytest.raises(BadMetric, match="statistic"):
        is_percentile(name)


VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=30)


@given(VALUES)
def test_percentiles_grow_and_stay_inside(values: list[float]) -> None:
    found = Summary.of_values(values)
    told = [found.statistic(f"p{n}") or 0.0 for n in (1, 25, 50, 95, 99, 100)]
    assert all(a <= b for a, b in pairwise(told))
    assert told[-1] == max(values)
    assert min(values) <= told[0]


@given(VALUES, st.integers(0, 30))
def test_parts_are_as_good_as_the_whole(values: list[float], cut: int) -> None:
    parts = [Summary.of_values(part) for part in (values[:cut], values[cut:]) if part]
    whole, merged = Summary.of_values(values), Summary.merged(parts)
    for name in ("SampleCount", "Minimum", "Maximum", "p50", "p95"):
        assert merged.statistic(name) == whole.statistic(name)
    assert merged.statistic("Sum") == pytest.approx(whole.statistic("Sum"))
