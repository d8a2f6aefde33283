"""The owner of the stack starts the travelling instance once, on first use, and says why it cannot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import session as module
from harness.clock import RunClock
from harness.errors import HarnessError
from harness.records import ScenarioResult
from harness.runs.scenario_run import Session
from harness.target import Target


class _Nobody:
    def phase(self, name: str) -> None:
        """Nobody looks on."""

    def started(self, name: str) -> None:
        """Nobody looks on."""

    def finished(self, result: ScenarioResult) -> None:
        """Nobody looks on."""


class _Second:
    """In the place of the travelling stack: counts, and fails to start if it is told to."""

    made: list["_Second"] = []  # noqa: RUF012 -- emptied by the fixture
    fails = False

    def __init__(self, *_: object, **__: object) -> None:
        self.info_path, self.stopped = Path("/there/stack.json"), 0
        _Second.made.append(self)

    def start(self, **_: object) -> None:
        """Or not."""
        if _Second.fails:
            raise HarnessError("no PostgreSQL today")

    def stop(self) -> None:
        """Count."""
        self.stopped += 1


@pytest.fixture(autouse=True)
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real instance is started."""
    monkeypatch.setattr(module, "TravellingStack", _Second)
    monkeypatch.setattr(_Second, "made", [])
    monkeypatch.setattr(_Second, "fails", False)


def _target(**changes: Any) -> Target:
    given = {"name": "x", "base_url": "http://127.0.0.1:${port}", "start": {"web": ["web"]}}
    return Target.model_validate(given | {"tenants": {"provision": ["true"]}} | changes)


def _session(target: Target, folder: Path) -> Iterator[Session]:
    made = Session(
        target, clock=RunClock.starting_now(), seed=1, folder=folder, watcher=_Nobody(), reproduce="golive run"
    )
    yield made
    made.stop()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session of a target that could travel; nothing of it has been started."""
    yield from _session(_target(), tmp_path)


@pytest.fixture
def rooted(tmp_path: Path) -> Iterator[Session]:
    """A session of a target that runs already."""
    yield from _session(_target(start={}), tmp_path)


def test_it_is_started_once_and_stopped_with_the_run(session: Session) -> None:
    """The second scenario that travels finds it; without a first there is none."""
    assert _Second.made == []
    assert session._travelling() == session._travelling() == {"info": "/there/stack.json"}
    session.stop()
    assert [one.stopped for one in _Second.made] == [1]


def test_one_that_does_not_start_is_not_tried_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scenario is told the same reason, nothing is left behind, and nobody looks into what is not there."""
    monkeypatch.setattr(_Second, "fails", True)
    for _ in range(2):
        with pytest.raises(HarnessError, match="no PostgreSQL today"):
            session._travelling()
    assert [one.stopped for one in _Second.made] == [1]
    assert session._stacks() == [session.stack]


def test_a_red_scenario_leaves_its_instance_to_nobody(session: Session) -> None:
    """Those after it get a new one; what it left behind is still looked into, and stopped with the run."""
    session._travelling()
    session._retire("travelling")
    assert len(_Second.made) == 1  # nobody has asked for another one yet
    session._travelling()
    session._travelling()
    assert len(_Second.made) == 2
    assert session._stacks() == [session.stack, *_Second.made]
    session.stop()
    assert [one.stopped for one in _Second.made] == [1, 1]


def test_instances_are_not_renewed_for_ever(session: Session) -> None:
    """Each is a whole target: where everything is red, the last one serves the rest."""
    for _ in range(5):
        session._travelling()
        session._retire("travelling")
    assert len(_Second.made) == 1 + module.MOST_RENEWALS


def test_what_was_never_started_is_not_retired(session: Session) -> None:
    """A scenario may be red before it has an instance."""
    session._retire("travelling")
    assert session._stacks() == [session.stack]


def test_a_target_that_cannot_travel_is_not_observed(rooted: Session) -> None:
    """The reason goes to the scenario, which is skipped with it; nothing is started."""
    assert "does not start the target" in rooted._travelling()["not_observed"]
    assert _Second.made == []
