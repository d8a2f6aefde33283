"""The schedule: each scenario once, the longest first, days in order."""

from __future__ import annotations

from typing import Any

from harness.runs.schedule import Schedule, queue_of
from harness.scenario_events import CollectedScenario


def scenario(key: str, **changes: Any) -> CollectedScenario:
    return CollectedScenario(key=key, title=key, suite="gateways", **changes)


def schedule(*scenarios: CollectedScenario, seconds: dict[str, float] | None = None) -> Schedule:
    return Schedule.of(scenarios, lambda one: (seconds or {}).get(one.key, 1.0))


def test_queue_follows_from_what_a_scenario_breaks() -> None:
    assert queue_of(scenario("a")) == "shared"
    assert queue_of(scenario("a", exclusive=True)) == "alone"
    assert queue_of(scenario("a", exclusive=True, instance="monitored", day=3)) == "monitored"


def test_longest_scenario_is_claimed_first() -> None:
    made = schedule(scenario("short"), scenario("long"), scenario("medium"), seconds={"long": 9, "medium": 5})
    claimed = [made.claim("shared", f"w{number}") for number in range(4)]
    assert [one and one.key for one in claimed] == ["long", "medium", "short", None]


def test_equally_long_scenarios_are_in_one_order_on_every_machine() -> None:
    keys = ["b", "c", "a"]
    orders = [[one.key for one in schedule(*map(scenario, order)).queues["shared"]] for order in (keys, sorted(keys))]
    assert orders == [["a", "b", "c"], ["a", "b", "c"]]


def test_days_are_in_order_however_long_the_scenarios_take() -> None:
    late = scenario("late", instance="travelling", day=9)
    early = scenario("early", instance="travelling", day=2)
    made = schedule(late, early, seconds={"late": 100.0})
    assert [one.key for one in made.queues["travelling"]] == ["early", "late"]


def test_claimed_scenario_is_at_work_until_it_has_ended() -> None:
    made = schedule(scenario("a"))
    made.claim("shared", "w1")
    assert made.at_work == {"w1": "a"}
    assert made.waiting("shared") == 0
    ended = made.ended("w1")
    assert ended is not None
    assert ended.key == "a"
    assert made.ended("w1") is None, "it has ended once"


def test_cleared_schedule_gives_nothing_more() -> None:
    made = schedule(scenario("a"), scenario("b", exclusive=True))
    made.clear()
    assert made.claim("shared", "w") is None
    assert made.waiting("shared", "alone", "travelling", "monitored") == 0
