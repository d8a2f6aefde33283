"""The rules of the circuit breaker, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.dispatch.breaker import Breaker, Pass, Refusal, Rules, after_failure, after_life_sign, may_send
from tests.rows import each_row

RULES = Rules(threshold=3, reset_s=10)


def test_it_opens_at_the_threshold_and_not_before() -> None:
    """Two failures in a row leave it closed, the third opens it."""
    breaker = Breaker()
    states = []
    for _ in range(3):
        breaker = after_failure(breaker, RULES, is_probe=False)
        states.append(breaker.state)
    assert states == ["closed", "closed", "open"]


def test_a_life_sign_starts_the_count_anew() -> None:
    """Failures must come in a row."""
    twice = Breaker(failures=2)
    assert after_failure(after_life_sign(twice, is_probe=False), RULES, is_probe=False).state == "closed"


def test_open_refuses_until_the_reset_time_and_then_probes() -> None:
    """While open nothing is sent; after the reset time exactly one probe is asked for."""
    assert may_send(Breaker(state="open", open_for_s=4), RULES) == Refusal(6)
    assert may_send(Breaker(state="open", open_for_s=10), RULES) == "probe"


def test_half_open_lets_one_probe_through() -> None:
    """Whoever comes while the probe is under way waits for it, but no longer than for a dead sender's lease."""
    assert may_send(Breaker(state="half_open", open_for_s=11, probe_lease_s=2.5), RULES) == Refusal(2.5)
    assert may_send(Breaker(state="half_open", open_for_s=11, probe_lease_s=-0.1), RULES) == "probe"


def test_the_probe_decides() -> None:
    """A probe that Meta answers closes the breaker; one that fails opens it again at once."""
    half_open = Breaker(state="half_open", failures=3, probe_lease_s=2)
    assert after_life_sign(half_open, is_probe=True) == Breaker()
    assert after_failure(half_open, RULES, is_probe=True).state == "open"


@each_row("state", ["open", "half_open"])
def test_late_news_changes_nothing(state: str) -> None:
    """A batch sent before the breaker opened neither closes it nor pushes its reset time back."""
    breaker = Breaker(state=state, failures=3, open_for_s=4)  # type: ignore[arg-type]  # parametrised literal
    assert after_failure(breaker, RULES, is_probe=False) is breaker
    assert after_life_sign(breaker, is_probe=False) is breaker


@each_row(("threshold", "reset_s"), [(0, 1), (1, 0)])
def test_senseless_rules_are_refused(threshold: int, reset_s: float) -> None:
    """A breaker that could never close or never open is a mistake in the settings."""
    with pytest.raises(ValueError, match="threshold of 1 or more"):
        Rules(threshold=threshold, reset_s=reset_s)


@given(st.lists(st.booleans(), max_size=40))
def test_closed_means_fewer_failures_in_a_row_than_the_threshold(successes: list[bool]) -> None:
    """Whatever the order of news, a breaker that still lets all through has not seen the threshold in a row."""
    breaker, in_a_row = Breaker(), 0
    for success in successes:
        if may_send(breaker, RULES) != Pass():
            break
        in_a_row = 0 if success else in_a_row + 1
        breaker = after_life_sign(breaker, is_probe=False) if success else after_failure(breaker, RULES, is_probe=False)
        assert (breaker.state == "closed") == (in_a_row < RULES.threshold)
