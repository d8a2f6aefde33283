"""Real pytest: it collects once, forks a worker for each order, and a worker that dies takes nothing with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.runs.scenario_pool import Fixed, Place, ScenarioPool
from harness.runs.scenario_runner import ScenarioRunner, pytest_argv
from harness.runs.schedule import Schedule
from harness.scenario_events import CollectedScenario, ScenarioFinished
from harness.stack.control import ControlServer
from harness.stack.processes import Nursery
from harness.target import Target

LIMIT_S = 60.0

SCENARIOS = '''
"""A folder of small scenarios."""
import os, signal
import pytest

@pytest.mark.scenario("G-90", proves=())
@pytest.mark.parametrize("number", range(6))
def test_shared(number):
    """G-90  A shared promise.

    Given  a number
    When   it is three
    Then   it is red
    """
    assert number != 3, "this one is red"

@pytest.mark.scenario("R-90", proves=(), tenants=2)
@pytest.mark.exclusive
def test_alone():
    pytest.skip("not observable: nothing to see")

@pytest.mark.scenario("R-91", proves=())
@pytest.mark.time_travel(day=4, days=1)
@pytest.mark.exclusive
def test_is_watched(monitored_pipeline):
    raise AssertionError("never run here")

@pytest.mark.scenario("R-92", proves=())
@pytest.mark.exclusive
def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)
'''


class Owner:
    """In the place of the golive process: a runner, and a stack that exists only as its description."""

    def __init__(self, folder: Path) -> None:
        self.nursery = Nursery(lambda death: None)
        self.control = ControlServer(folder / "control", {})
        target = Target.model_validate(
            {"name": "x", "base_url": "http://127.0.0.1:1", "tenants": {"provision": "http://127.0.0.1:1/tenants"}}
        )
        info = folder / "stack.json"
        clock = {"origin_s": 0, "offset_s": 0}
        about = {"seed": 1, "clock": clock, "meta_url": "", "control": str(folder / "control")}
        info.write_text(json.dumps({**about, "target": target.model_dump()}))
        self.stack: Any = SimpleNamespace(
            info_path=info, seed=1, target=target, tenants={}, provision=lambda tenants: None
        )
        self.folder = folder
        self.runner = ScenarioRunner(
            self.nursery,
            socket=folder / "run",
            log=folder / "scenarios.log",
            argv=[*pytest_argv([folder]), "-c", str(folder / "pytest.ini"), "--rootdir", str(folder)],
        )
        self.aborted = threading.Event()

    def run(self, scenarios: list[CollectedScenario]) -> dict[str, ScenarioFinished]:
        """Run these on the one stack, what must be alone after the rest."""
        finished: dict[str, ScenarioFinished] = {}
        pool = ScenarioPool(
            self.runner,
            Schedule.of(scenarios, lambda _: 1.0),
            capacity=Fixed(3),
            logs=self.folder,
            on_started=lambda key: None,
            on_finished=lambda scenario, result: finished.update({scenario.key: result}),
            on_broken=lambda sentence: None,
        )
        pool.open(Place(name="shared", queue="shared", stack=self.stack, workers=9))
        pool.open(Place(name="alone", queue="alone", stack=self.stack, workers=1, after_shared=True))
        watch = threading.Timer(LIMIT_S, self.aborted.set)
        watch.start()
        pool.run(self.aborted)
        watch.cancel()
        assert not self.aborted.is_set(), self.runner.last_words()
        return finished

    def close(self) -> None:
        self.runner.close()
        self.control.close()
        self.nursery.stop_all()


def owner_of(tmp_path: Path, scenarios: str) -> Owner:
    (tmp_path / "test_small.py").write_text(scenarios)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --import-mode=importlib\n")
    return Owner(tmp_path)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    found = owner_of(tmp_path, SCENARIOS)
    yield found
    found.close()


def test_scenarios_are_described_as_they_were_collected(owner: Owner) -> None:
    found = {one.key: one for one in owner.runner.collected(owner.aborted)}
    assert sorted(found) == [*(f"G-90[{number}]" for number in range(6)), "R-90", "R-91", "R-92"]
    shared, alone, watched = found["G-90[3]"], found["R-90"], found["R-91"]
    assert (shared.title, shared.given, shared.exclusive, shared.instance) == (
        "A shared promise.",
        "a number",
        False,
        "",
    )
    assert (alone.exclusive, alone.tenants) == (True, 2)
    assert (watched.instance, watched.day) == ("monitored", 4)


def test_each_scenario_is_run_once_and_the_one_that_dies_is_an_error_of_ours(owner: Owner) -> None:
    chosen = [one for one in owner.runner.collected(owner.aborted) if one.key != "R-91"]
    finished = owner.run(chosen)
    green = {f"G-90[{number}]": "passed" for number in range(6) if number != 3}
    assert {key: one.outcome for key, one in finished.items()} == {
        **green,
        "G-90[3]": "failed",
        "R-90": "skipped",
        "R-92": "error",
    }
    assert finished["G-90[3]"].message.startswith("this one is red")
    assert finished["R-90"].message == "not observable: nothing to see"
    assert "was killed by SIGKILL" in finished["R-92"].message


def test_runner_serves_one_schedule_after_the_other(owner: Owner) -> None:
    """As `golive prove` needs it: collected once, run on one mutant after the other."""
    (first,) = [one for one in owner.runner.collected(owner.aborted) if one.key == "G-90[0]"]
    assert [list(owner.run([first])) for _ in range(2)] == [["G-90[0]"]] * 2


def test_killed_workers_end_and_the_runner_lives_on(tmp_path: Path) -> None:
    waits = SCENARIOS.replace('assert number != 3, "this one is red"', "signal.pause() if number == 3 else None")
    owner = owner_of(tmp_path, waits)
    try:
        chosen = {one.key: one for one in owner.runner.collected(owner.aborted)}
        started, finished = threading.Event(), []
        pool = ScenarioPool(
            owner.runner,
            Schedule.of([chosen["G-90[3]"]], lambda _: 1.0),
            capacity=Fixed(1),
            logs=tmp_path,
            on_started=lambda key: started.set(),
            on_finished=lambda scenario, result: finished.append(result),
            on_broken=lambda sentence: None,
        )
        pool.open(Place(name="shared", queue="shared", stack=owner.stack, workers=1))
        aborted = threading.Event()
        running = threading.Thread(target=pool.run, args=(aborted,))
        running.start()
        assert started.wait(LIMIT_S)
        aborted.set()
        running.join(LIMIT_S)
        pool.kill_workers(within_s=LIMIT_S)
        assert finished == [], "what was ended by us is no result"
        assert list(owner.run([chosen["G-90[0]"]])) == ["G-90[0]"]
    finally:
        owner.close()


def test_file_that_cannot_be_read_ends_the_run_before_anything_is_run(tmp_path: Path) -> None:
    """What was collected beside it must not look like all there is."""
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")
    owner = owner_of(tmp_path, SCENARIOS)
    try:
        with pytest.raises(HarnessError, match="nothing_of_that_name"):
            owner.runner.collected(owner.aborted)
    finally:
        owner.close()
