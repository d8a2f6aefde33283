"""No scenario that began may be missing from the report: a hole in it would look like a promise kept."""

from typing import Any

import pytest

from harness.pytest_plugin import Reporter


class Owner:
    """Stands for the process that owns the stack, and remembers what it was told."""

    def __init__(self) -> None:
        self.control = self
        self.finished: list[dict[str, Any]] = []

    def call(self, operation: str, **arguments: Any) -> None:
        """One message over the control socket."""
        if operation == "finished":
            self.finished.append(dict(arguments["result"]))


def phase(when: str, outcome: str = "passed") -> pytest.TestReport:
    """A phase of one scenario, as pytest or xdist reports it."""
    told: Any = {"nodeid": "a::b", "location": ("a", 1, "b"), "keywords": {}, "outcome": outcome, "longrepr": None}
    return pytest.TestReport(**told, when=when)  # type: ignore[arg-type]  # xdist says ???


def test_a_scenario_is_finished_with_its_teardown() -> None:
    """Once, and green."""
    owner: Any = Owner()
    reporter = Reporter(owner)
    reporter.pytest_runtest_logstart("a::b")
    for when in ("setup", "call", "teardown"):
        reporter.pytest_runtest_logreport(phase(when))
    reporter.pytest_sessionfinish()
    assert [one["outcome"] for one in owner.finished] == ["passed"]


def test_a_worker_that_dies_is_a_harness_error() -> None:
    """xdist reports the scenario it was at with a phase of its own, and no teardown."""
    owner: Any = Owner()
    reporter = Reporter(owner)
    reporter.pytest_runtest_logstart("a::b")
    reporter.pytest_runtest_logreport(phase("setup"))
    reporter.pytest_runtest_logreport(phase("???", "failed"))
    reporter.pytest_sessionfinish()
    assert [(one["outcome"], one["blame"]) for one in owner.finished] == [("error", "harness")]


def test_what_never_ended_is_told_at_the_end() -> None:
    """Nobody said a word after it began."""
    owner: Any = Owner()
    reporter = Reporter(owner)
    reporter.pytest_runtest_logstart("a::b")
    reporter.pytest_sessionfinish()
    assert [(one["outcome"], one["blame"]) for one in owner.finished] == [("error", "harness")]
