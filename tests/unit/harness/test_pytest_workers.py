"""One result from the phases that pytest reports of a scenario: no scenario may look like a promise kept by mistake."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from harness.pytest_workers import DETAILS, RED, Reporter, summary
from harness.records import Ledger
from tests.rows import each_row


def phase(when: str, outcome: str = "passed", *, longrepr: Any = None, **properties: Any) -> pytest.TestReport:
    given: Any = {"nodeid": "a::b", "location": ("a", 1, "b"), "keywords": {}, "outcome": outcome}
    given |= {"longrepr": longrepr, "user_properties": list(properties.items()), "duration": 0.5}
    return pytest.TestReport(**given, when=when)  # type: ignore[arg-type]  # any word


def test_scenario_whose_phases_all_passed_has_passed() -> None:
    found = summary("G-01", [phase("setup"), phase("call"), phase("teardown")])
    assert (found.key, found.outcome, found.blame, found.duration_s) == ("G-01", "passed", "", 1.5)


def test_scenario_without_any_phase_is_an_error_of_ours() -> None:
    found = summary("G-01", [])
    assert (found.outcome, found.blame) == ("error", "harness")


def test_broken_promise_is_the_targets() -> None:
    red = phase("call", "failed", **{RED: ["target", "sale 7 was never counted"]})
    found = summary("G-01", [phase("setup"), red, phase("teardown")])
    assert (found.outcome, found.blame, found.message) == ("failed", "target", "sale 7 was never counted")


def test_first_red_phase_decides() -> None:
    phases = [
        phase("setup"),
        phase("call", "failed", **{RED: ["target", "first"]}),
        phase("teardown", "failed", **{RED: ["harness", "second"]}),
    ]
    assert summary("G-01", phases).message == "first"


@each_row("when", ["setup", "teardown"])
def test_error_of_a_fixture_is_ours(when: str) -> None:
    phases = [
        phase(one, "failed" if one == when else "passed", longrepr="Boom") for one in ("setup", "call", "teardown")
    ]
    found = summary("G-01", phases)
    assert (found.outcome, found.blame, found.message) == ("error", "harness", "Boom")


def test_skipped_scenario_says_why() -> None:
    skipped = phase("call", "skipped", longrepr=("file", 3, "Skipped: not observable: no probes.queue"))
    found = summary("G-01", [phase("setup"), skipped, phase("teardown")])
    assert (found.outcome, found.message) == ("skipped", "not observable: no probes.queue")


def test_details_of_the_call_are_kept() -> None:
    details = {
        "evidence": ["seen"],
        "timeline": [{"t_s": 1.0, "kind": "fact", "what": "it rained", "until_s": None, "value": None}],
        "wire_sha256": "ab",
        "ledger": asdict(Ledger(deliveries=2, accepted=2, delivered=2)),
        "counted": {"pixel": 2},
        "told": {"pixel": ["p"]},
    }
    found = summary("G-01", [phase("setup"), phase("call", **{DETAILS: details}), phase("teardown")]).details
    assert found.evidence == ("seen",)
    assert found.timeline[0].what == "it rained"
    assert found.ledger == Ledger(deliveries=2, accepted=2, delivered=2)
    assert (found.counted, found.told["pixel"]) == ({"pixel": 2}, ("p",))


@each_row("outcome", ["passed", "failed"])
def test_scenario_whose_ledger_cannot_be_read_is_an_error_of_ours(outcome: str) -> None:
    properties: dict[str, Any] = {DETAILS: {"harness_error": "the fake Meta does not answer"}}
    if outcome == "failed":
        properties[RED] = ["target", "sale 7 was never counted"]
    found = summary("G-01", [phase("setup"), phase("call", outcome, **properties), phase("teardown")])
    assert (found.outcome, found.blame) == ("error", "harness")
    assert found.message.endswith("the fake Meta does not answer")


def test_phases_of_the_scenario_before_are_forgotten() -> None:
    said: list[tuple[str, Any]] = []
    run: Any = type("Run", (), {"call": lambda self, what, **given: said.append((what, given))})()
    reporter = Reporter(run, "w1")
    reporter.started("G-01")
    reporter.pytest_runtest_logreport(phase("call", "failed", longrepr="Boom"))
    reporter.finished("G-01")
    reporter.started("G-02")
    reporter.pytest_runtest_logreport(phase("call"))
    reporter.finished("G-02")
    assert [what for what, _ in said] == ["started", "finished"] * 2
    assert [given["result"]["outcome"] for what, given in said if what == "finished"] == ["error", "passed"]
    assert {given["worker"] for _, given in said} == {"w1"}
