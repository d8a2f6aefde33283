"""A profile is what its section says, and the command line changes it without bending it."""

from pathlib import Path
from typing import Any

import pytest

from harness.cli.load_profile import AVERAGE_DAY_PER_S, Profile, profile_named, profiles
from harness.errors import UsageError
from load.plan import LoadPlan
from load.schedule import slots
from tests.rows import each_row


def plan_of(profile: Profile) -> LoadPlan:
    """What the generators would be told of its times."""
    values: dict[str, Any] = {
        "base_url": "http://127.0.0.1:1",
        "public_url": "http://127.0.0.1:1",
        "webhook_path": "/{gateway}/{tenant}",
        "gateways": ["stripe"],
        "tenants": [{"tenant": "t"}],
        "seed": 1,
        "pieces": profile.pieces,
        "origin_s": 0,
        "processes": 1,
        "timeout_s": 1.0,
        "folder": str(Path("/nowhere")),
        "storm_after": profile.storm[0] if profile.storm else 0,
        "storm_over_s": profile.storm[1] if profile.storm else 0.0,
        "reads_per_s": profile.reads_per_s,
        "cookies": ["a=b"],
    }
    return LoadPlan(**values)


@each_row("name", sorted(profiles()))
def test_harness_and_generators_count_the_same(name: str) -> None:
    """A sample that is missing is noticed only where both know how many there must be."""
    profile = profiles()[name]
    found = slots(plan_of(profile))
    assert len(found) == profile.planned
    assert all(0 <= one.due_s <= profile.duration_s for one in found)


def test_every_profile_that_is_judged_whole_has_its_samples() -> None:
    """A thousand for each of four gateways, outside of an outage too; and a thousand reads."""
    for name, profile in profiles().items():
        if name in ("smoke", "stress"):
            continue
        webhooks = profile.planned * (1 - profile.pages) - profile.reads_per_s * profile.duration_s
        assert webhooks / 4 >= 1_000, name
        if profile.outage_s:
            begins_s, ends_s = profile.outage_s
            # The drain may take as long as the outage did.
            assert webhooks * (1 - 2 * (ends_s - begins_s) / profile.duration_s) >= 1_000
        assert not profile.reads_per_s or profile.reads_per_s * profile.duration_s >= 1_000


def test_the_launch_is_twenty_times_the_average_day_for_a_minute() -> None:
    """As the plan's risk has it; --rate, --duration and --times change each its own thing."""
    launch = profile_named("launch", rate_per_s=None, duration_s=None)
    assert launch.pieces[1] == (pytest.approx(20 * AVERAGE_DAY_PER_S, rel=0.01), 60)
    shorter = profile_named("launch", rate_per_s=10, duration_s=30, times=5)
    assert shorter.pieces == ((10, 10), (50, 10), (10, 10))
    with pytest.raises(UsageError, match="--times is for a profile with a spike"):
        profile_named("baseline", rate_per_s=None, duration_s=None, times=5)


def test_a_storm_that_would_not_fit_is_refused_with_its_reason() -> None:
    """Not silently cut short."""
    with pytest.raises(UsageError, match="end within the piece"):
        profile_named("retry_storm", rate_per_s=None, duration_s=20)


def test_a_search_with_more_time_has_longer_steps_and_with_less_no_shorter_ones() -> None:
    """More of the same short steps would be as noisy, and shorter ones would decide nothing."""
    given = profile_named("stress", rate_per_s=None, duration_s=None)
    longer = profile_named("stress", rate_per_s=None, duration_s=3 * given.duration_s)
    shorter = profile_named("stress", rate_per_s=None, duration_s=given.duration_s / 2)
    assert longer.step(1_000).duration_s == 3 * given.step(1_000).duration_s
    assert longer.step(10).planned == 3 * given.step(10).planned
    assert shorter.step(10).planned == given.step(10).planned
