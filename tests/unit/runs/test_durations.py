"""What a run will take, from what earlier runs took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records import ScenarioResult
from harness.runs.durations import GUESS_OVERHEAD_S, GUESS_S, Durations
from harness.scenario_events import CollectedScenario
from tests.rows import each_row


def scenario(key: str, **changes: Any) -> CollectedScenario:
    return CollectedScenario(key=key, title=key, suite="gateways", **changes)


def result(key: str, duration_s: float, outcome: Any = "passed") -> ScenarioResult:
    return ScenarioResult(
        id=key, title=key, story="", criterion="", proves=(), suite="gateways", outcome=outcome, duration_s=duration_s
    )


def test_run_takes_as_long_as_the_cores_need_for_all() -> None:
    known = Durations(scenarios={"a": 10.0, "b": 20.0}, overhead_s=5.0, at_once=3.0)
    assert known.expected_run_s([scenario("a"), scenario("b")]) == pytest.approx(5.0 + 30.0 / 3)


def test_run_takes_at_least_as_long_as_its_longest_chain_of_days() -> None:
    known = Durations(scenarios={"a": 10.0, "b": 50.0}, overhead_s=5.0, at_once=30.0)
    chain = [scenario("a", instance="monitored"), scenario("b", instance="monitored")]
    assert known.expected_run_s(chain) == pytest.approx(65.0)


def test_unknown_scenario_is_guessed_by_its_queue() -> None:
    assert Durations().expected_s(scenario("a", exclusive=True)) == GUESS_S["alone"]


def test_most_of_the_scenarios_must_have_run_before() -> None:
    known = Durations(scenarios={"a": 1.0})
    assert known.known([scenario("a")])
    assert not known.known([scenario("a"), scenario("b")])
    assert not known.known([])


def test_new_run_is_mixed_with_the_earlier_ones() -> None:
    before = Durations(scenarios={"a": 2.0, "untouched": 7.0})
    after = before.after([result("a", 4.0), result("b", 6.0)], scenarios_s=5.0, run_s=12.0)
    assert after.scenarios == {"a": 3.0, "b": 6.0, "untouched": 7.0}
    assert after.at_once == pytest.approx(2.0)
    assert after.overhead_s == pytest.approx(7.0)


def test_red_scenario_says_nothing_of_durations() -> None:
    before = Durations(scenarios={"a": 2.0})
    assert before.after([result("a", 90.0, "failed")], scenarios_s=90.0, run_s=99.0) is before


def test_written_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "durations.json"
    written = Durations(scenarios={"a": 1.5}, overhead_s=3.0, at_once=4.0)
    written.write(path)
    assert Durations.read(path) == written


@each_row("content", ["", "[]", '{"scenarios": 3}', "not json"])
def test_unreadable_file_is_no_help_and_no_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "durations.json"
    path.write_text(content)
    assert Durations.read(path).overhead_s == GUESS_OVERHEAD_S
