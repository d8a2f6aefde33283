"""Instances with a clock of their own: started once, on first use, renewed when spoilt; or the reason why not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.runs import clock_instances as module
from harness.runs.clock_instances import MOST_RENEWALS, ClockInstances
from harness.stack.engine import LOCAL
from harness.target import Target


class Instance:
    """In the place of a stack whose clock jumps: counts, and fails to start if it is told to."""

    made: list[Instance] = []  # noqa: RUF012 -- emptied by the fixture
    fails = False

    def __init__(self, *_: object, **options: Any) -> None:
        self.options = options
        self.info_path, self.stopped = Path("/there/stack.json"), 0
        Instance.made.append(self)

    def start(self, **_: object) -> None:
        if Instance.fails:
            raise HarnessError("no PostgreSQL today")

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture(autouse=True)
def no_real_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KINDS", {"travelling": Instance, "monitored": Instance})
    monkeypatch.setattr(Instance, "made", [])
    monkeypatch.setattr(Instance, "fails", False)


def made(folder: Path, **changes: Any) -> ClockInstances:
    given = {"name": "x", "base_url": "http://127.0.0.1:${port}", "start": {"web": ["web"]}}
    target = Target.model_validate(given | {"tenants": {"provision": ["true"]}} | changes)
    stack: Any = SimpleNamespace(wanted=target, clock="a clock", seed=1, engine=LOCAL)
    return ClockInstances(stack, logs=folder, on_death=lambda death: None, operations={})


@pytest.fixture
def instances(tmp_path: Path) -> ClockInstances:
    """Of a target that can travel; nothing of it has been started."""
    return made(tmp_path)


def test_instance_is_started_on_first_use_and_once(instances: ClockInstances) -> None:
    assert Instance.made == []
    assert instances.info("travelling") == instances.info("travelling") == {"info": "/there/stack.json"}
    assert len(Instance.made) == 1
    assert instances.stacks() == Instance.made


def test_instance_that_does_not_start_is_not_tried_again(
    instances: ClockInstances, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each scenario gets the same reason, nothing is left behind, and nothing is searched that is not there."""
    monkeypatch.setattr(Instance, "fails", True)
    for _ in range(2):
        with pytest.raises(HarnessError, match="no PostgreSQL today"):
            instances.info("travelling")
    assert [one.stopped for one in Instance.made] == [1]
    assert instances.stacks() == []


def test_spoilt_instance_is_replaced_and_still_searched(instances: ClockInstances) -> None:
    instances.info("travelling")
    instances.replace("travelling")
    assert len(Instance.made) == 1, "nobody has asked for another yet"
    instances.info("travelling")
    instances.info("travelling")
    assert len(Instance.made) == 2
    assert instances.stacks() == Instance.made
    assert len({one.options["logs"] for one in Instance.made}) == 2, "each has logs of its own"


def test_instances_are_not_renewed_for_ever(instances: ClockInstances) -> None:
    """Each is a whole target: where everything is red, the last one serves the rest."""
    for _ in range(5):
        instances.info("travelling")
        instances.replace("travelling")
    assert len(Instance.made) == 1 + MOST_RENEWALS


def test_instance_that_was_never_started_is_not_replaced(instances: ClockInstances) -> None:
    """A scenario may be red before it has an instance."""
    instances.replace("travelling")
    assert instances.stacks() == []


def test_instances_that_are_let_go_are_stopped(instances: ClockInstances) -> None:
    instances.info("travelling")
    instances.let_go()
    assert [one.stopped for one in Instance.made] == [1]
    assert instances.stacks() == []


def test_target_that_already_runs_cannot_travel(tmp_path: Path) -> None:
    assert "does not start the target" in made(tmp_path, start={}).info("travelling")["not_observed"]
    assert Instance.made == []


def test_target_without_alarms_has_no_monitored_instance(tmp_path: Path) -> None:
    assert "monitoring" in made(tmp_path).info("monitored")["declared"]
    assert Instance.made == []
