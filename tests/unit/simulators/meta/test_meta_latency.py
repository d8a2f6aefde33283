"""Delays are log-normal, repeatable, and refused when they are no distribution."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.meta.latency import MAX_MS, Latency, NoSuchLatency
from tests.rows import each_row


def drawn(latency: Latency, count: int) -> list[float]:
    return [latency.draw_s() * 1000 for _ in range(count)]


def test_the_draws_have_the_median_and_the_tail_asked_for() -> None:
    """Of 20,000 draws half lie below the median and 5 % above the 95th percentile."""
    found = drawn(Latency(120.0, 600.0, seed=7), 20_000)
    assert statistics.median(found) == pytest.approx(120, rel=0.05)
    assert statistics.quantiles(found, n=20)[-1] == pytest.approx(600, rel=0.08)


def test_same_seed_same_delays() -> None:
    """Another seed, others; a distribution without spread always says its median."""
    assert drawn(Latency(120, 600, 7), 9) == drawn(Latency(120, 600, 7), 9) != drawn(Latency(120, 600, 8), 9)
    assert drawn(Latency(50, 50, 1), 3) == pytest.approx([50, 50, 50])


@each_row(
    ("median_ms", "p95_ms"),
    [(0, 1), (-1, 1), (2, 1), (1, MAX_MS + 1), (float("nan"), 1), (1, float("nan")), (float("inf"), float("inf"))],
)
def test_what_is_no_distribution_is_refused(median_ms: float, p95_ms: float) -> None:
    """The message says what must hold."""
    with pytest.raises(NoSuchLatency, match="median_ms <= p95_ms"):
        Latency(median_ms, p95_ms)


@settings(deadline=None, derandomize=True)
@given(
    median_ms=st.floats(min_value=0, max_value=MAX_MS, exclude_min=True),
    p95_ms=st.floats(min_value=0, max_value=MAX_MS, exclude_min=True),
    seed=st.integers(),
)
def test_every_distribution_gives_delays_within_the_limit(median_ms: float, p95_ms: float, seed: int) -> None:
    """However wide the spread."""
    low, high = sorted([median_ms, p95_ms])
    assert all(0 <= delay_ms <= MAX_MS for delay_ms in drawn(Latency(low, high, seed), 20))
