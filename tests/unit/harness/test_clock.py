"""The run's clock has an origin, and refuses times that mean nothing."""

import time

import pytest

from harness.clock import RESTAMP_EVERY_S, RunClock
from harness.errors import UsageError
from tests.rows import each_row


def test_a_travelling_run_lives_at_its_origin() -> None:
    """`--at` moves the present to that time."""
    clock = RunClock.at("2026-03-01T12:00:00Z")
    assert clock.origin_s == 1772366400
    assert clock.now_s() == pytest.approx(clock.origin_s, abs=5)
    assert clock.iso() == "2026-03-01T12:00:00Z"


def test_a_travelling_child_gets_the_offset() -> None:
    """libfaketime is told how far, and only when there is somewhere to go."""
    assert RunClock.starting_now().child_env() == {}
    env = RunClock.at("2026-03-01T12:00:00Z").child_env()
    assert int(env["FAKETIME"]) == pytest.approx(1772366400 - time.time(), abs=5)


@each_row("text", ["yesterday", "2026-13-01T00:00:00Z", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(UsageError, match="is not a time"):
        RunClock.at(text)


def test_a_time_without_a_zone_is_refused() -> None:
    """Noon where? The run must mean the same on every machine."""
    with pytest.raises(UsageError, match="has no zone"):
        RunClock.at("2026-03-01T12:00:00")


def test_stamps_stay_fresh_in_a_long_run() -> None:
    """A signature's time moves in steps that are shorter than Stripe's tolerance."""
    fresh = RunClock(origin_s=int(time.time()), offset_s=0)
    old = RunClock(origin_s=int(time.time()) - 1000, offset_s=0)
    assert fresh.stamp_s() == fresh.origin_s
    assert (old.stamp_s() - old.origin_s) % RESTAMP_EVERY_S == 0
    assert time.time() - old.stamp_s() < 300
