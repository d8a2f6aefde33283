"""A number is met, refuted or undecided, and says so on raw samples."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.checks import slo
from harness.records import SloResult
from tests.rows import each_row


def latencies(count: int, *, middle: float = 100.0, seed: int = 1) -> list[float]:
    """Independent samples; their true p95 is `true_p95(middle)`."""
    rng = Random(seed)
    return [middle * math.exp(0.4 * rng.gauss(0, 1)) for _ in range(count)]


def true_p95(middle: float = 100.0) -> float:
    """Of the distribution that `latencies` draws from."""
    return middle * math.exp(0.4 * 1.6448536269514722)


# -- p95 -----------------------------------------------------------------------------------------------------------


@each_row(("target", "met"), [(250.0, True), (150.0, False), (true_p95(), None)])
def test_a_p95_is_met_refuted_or_undecided(target: float, met: bool | None) -> None:
    """The whole interval has to be on one side; a target inside it decides nothing, and the note says so."""
    result = slo.p95(slo.WEBHOOK_P95, latencies(4_000), target=target)
    assert result.met is met
    assert result.ci95 is not None
    low, high = result.ci95
    assert low <= (result.measured or 0) <= high
    assert (low < target < high) is (met is None)
    assert ("holds the target" in result.note) is (met is None)


def test_the_interval_mostly_holds_the_truth() -> None:
    """Thirty series of independent samples: a 95 % interval misses the true p95 in few of them."""
    truth = true_p95()
    held = 0
    for seed in range(30):
        bounds = slo.p95("x", latencies(1_000, seed=seed), target=1, seed=seed).ci95
        assert bounds is not None
        held += bounds[0] <= truth <= bounds[1]
    assert held >= 26


def test_bursts_widen_the_interval() -> None:
    """The same samples, shuffled and in bursts: a thousand slow answers of one stall are not a thousand facts."""
    rng = Random(5)
    drift, bursty = 0.0, []
    for _ in range(4_000):
        drift = 0.95 * drift + rng.gauss(0, 1)
        bursty.append(100 * math.exp(0.1 * drift))
    shuffled = rng.sample(bursty, len(bursty))
    wide, narrow = (slo.p95("x", series, target=1).ci95 for series in (bursty, shuffled))
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_more_samples_narrow_the_interval() -> None:
    few, many = (slo.p95("x", latencies(count), target=1).ci95 for count in (1_000, 16_000))
    assert few is not None
    assert many is not None
    assert many[1] - many[0] < (few[1] - few[0]) / 2


@each_row("count", [1, slo.MIN_SAMPLES - 1])
def test_too_few_samples_decide_nothing(count: int) -> None:
    """However quick they are; the number is shown all the same."""
    result = slo.p95("x", [1.0] * count, target=200)
    assert (result.met, result.ci95, result.measured, result.samples) == (None, None, 1.0, count)
    assert f"{slo.MIN_SAMPLES:,} are needed" in result.note


def test_just_enough_samples_decide() -> None:
    assert slo.p95("x", [1.0] * slo.MIN_SAMPLES, target=200).met is True


def test_equal_to_the_target_is_not_under_it() -> None:
    assert slo.p95("x", [200.0] * 2_000, target=200).met is None


def test_unanswered_requests_are_slow_not_absent() -> None:
    """7 % never answered: the p95 is beyond every number, so the target is refuted, in words that JSON can hold."""
    rng = Random(2)
    samples = rng.sample([*([10.0] * 3_720), *([math.inf] * 280)], 4_000)
    result = slo.p95("x", samples, target=200)
    assert result.met is False
    assert result.measured is None
    assert "more than 5 % were never answered" in result.note
    json.dumps(asdict(result), allow_nan=False)


def test_a_single_stall_of_unanswered_requests_is_no_pass() -> None:
    """4.9 % unanswered in one stretch: the p95 looks quick, but its upper bound is unknown."""
    result = slo.p95("x", [*([10.0] * 1_902), *([math.inf] * 98)], target=200)
    assert result.measured == 10.0
    assert result.met is None
    assert result.ci95 is None
    assert result.note


def test_all_slow_answers_in_one_stall_give_no_upper_bound() -> None:
    """How slow the next stall would be, one stall cannot say."""
    result = slo.p95("x", [*([10.0] * 1_900), *([500.0] * 100)], target=600)
    assert (result.met, result.ci95) == (None, None)
    assert "too few bursts" in result.note


@each_row("wrong", [-1.0, math.nan])
def test_what_is_no_latency_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="negative or not a number"):
        slo.p95("x", [1.0, wrong], target=1)


def test_the_same_seed_gives_the_same_result() -> None:
    samples = [round(one) for one in latencies(2_000)]
    assert slo.p95("x", samples, target=150, seed=7) == slo.p95("x", samples, target=150, seed=7)


@given(st.integers(0, 10_000), st.floats(20, 500), st.floats(0, 0.1))
def test_met_and_refuted_follow_from_the_interval(seed: int, target: float, unanswered: float) -> None:
    """Whatever the samples: no decision without an interval, and none against it."""
    rng = Random(seed)
    samples = [math.inf if rng.random() < unanswered else one for one in latencies(1_000, seed=seed)]
    result = slo.p95("x", samples, target=target)
    if result.met is True:
        assert result.ci95 is not None
        assert result.ci95[1] < target
    if result.met is False and result.ci95 is not None:
        assert result.ci95[0] > target
    assert result.met is not None or result.note


# -- proportions ---------------------------------------------------------------------------------------------------


@each_row(
    ("good", "total", "low", "high"),
    [
        # One-sided 95 % bounds where the formula is closed: 0.05^(1/n) below n of n, its mirror above 0 of n.
        (10, 10, 0.05 ** (1 / 10), 1.0),
        (0, 10, 0.0, 1 - 0.05 ** (1 / 10)),
        (3_000, 3_000, 0.05 ** (1 / 3_000), 1.0),
        # Tabulated: 90 % two-sided Clopper-Pearson interval of 5 in 10.
        (5, 10, 0.2224411, 0.7775589),
    ],
)
def test_clopper_pearson_is_exact(good: int, total: int, low: float, high: float) -> None:
    assert slo.clopper_pearson(good, total) == pytest.approx((low, high), abs=1e-7)


@given(st.integers(1, 5_000), st.data())
def test_the_bounds_hold_the_share_and_mirror_each_other(total: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(0, total))
    low, high = slo.clopper_pearson(good, total)
    assert 0 <= low <= good / total <= high <= 1
    assert slo.clopper_pearson(total - good, total) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@each_row(
    ("good", "total", "met"),
    [
        (1_400, 1_400, True),
        (1_395, 1_400, None),  # 99.6 % measured, but the lower bound is under 99.5 %
        (1_300, 1_400, False),
        (999, 999, None),  # not one failure, but too few to be called met
        (0, 5, False),  # even five can refute
    ],
)
def test_a_proportion_is_met_refuted_or_undecided(good: int, total: int, met: bool | None) -> None:
    result = slo.proportion(slo.SUCCESS_RATE, good=good, total=total, target=99.5, of="counted / accepted")
    assert result.met is met
    assert f"counted / accepted: {good:,} / {total:,}" in result.note
    assert result.measured == pytest.approx(100 * good / total)


def test_too_few_good_ones_say_how_many_are_needed() -> None:
    result = slo.proportion("x", good=999, total=999, target=99, of="a / b")
    assert f"{slo.MIN_SAMPLES:,} are needed" in result.note


@each_row(
    ("requests", "failures", "met"),
    [(3_000, 0, True), (2_999, 0, None), (2_994, 0, None), (3_000, 1, None), (10_000, 100, False)],
)
def test_3_000_requests_without_a_failure_are_just_enough(requests: int, failures: int, met: bool | None) -> None:
    assert slo.availability(requests=requests, failures=failures).met is met


@each_row(("good", "total"), [(2, 1), (-1, 1)])
def test_what_is_no_proportion_is_refused(good: int, total: int) -> None:
    with pytest.raises(ValueError, match="is no proportion"):
        slo.proportion("x", good=good, total=total, target=99, of="a / b")


# -- gauges, match rate, and nothing at all ------------------------------------------------------------------------


@each_row(("readings", "met"), [([0, 3, 49], True), ([0, 50, 1], False), ([51.0], False)])
def test_the_highest_reading_of_a_gauge_counts(readings: list[float], met: bool) -> None:
    result = slo.ceiling(slo.DLQ_DEPTH, readings, target=50, unit="events")
    assert (result.met, result.measured, result.samples) == (met, max(readings), len(readings))


@each_row("matched", [0, 699, 1_000])
def test_a_match_rate_is_shown_and_never_judged(matched: int) -> None:
    """Our own simulated journeys decide it: it would prove itself."""
    result = slo.match_rate(matched=matched, conversions=1_000)
    assert (result.met, result.measured) == (None, matched / 10)


@each_row(
    "measure",
    [
        lambda: slo.p95("x", [], target=200),
        lambda: slo.proportion("x", good=0, total=0, target=99, of="a / b"),
        lambda: slo.availability(requests=0, failures=0),
        lambda: slo.ceiling("x", [], target=50, unit="events"),
        lambda: slo.match_rate(matched=0, conversions=0),
    ],
    ids=["p95", "proportion", "availability", "ceiling", "match rate"],
)
def test_nothing_observed_is_never_met(measure: Callable[[], SloResult]) -> None:
    result = measure()
    assert (result.met, result.measured, result.samples, result.ci95) == (None, None, 0, None)
    assert result.note


@example(2_999, 0)
@given(st.integers(0, 4_000), st.integers(0, 4_000))
def test_one_more_failure_never_improves_availability(requests: int, failures: int) -> None:
    order = [False, None, True]
    failures = min(failures, requests)
    before = slo.availability(requests=requests, failures=failures)
    after = slo.availability(requests=requests + 1, failures=failures + 1)
    assert order.index(after.met) <= order.index(before.met)
