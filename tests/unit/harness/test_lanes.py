"""What must be alone runs in lanes: each scenario once, in one of them, and what was red is remembered for all."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import session as module
from harness.cli.session import Selection, Session
from harness.clock import RunClock
from harness.errors import HarnessError
from harness.records import ScenarioResult
from harness.target import Target


class _Nobody:
    def phase(self, name: str) -> None:
        """Nobody looks on."""

    def started(self, name: str) -> None:
        """Nobody looks on."""

    def finished(self, result: ScenarioResult) -> None:
        """Nobody looks on."""


class _Lane:
    """In the place of a second stack."""

    fails = False

    def __init__(self, *_: object, **__: object) -> None:
        self.stopped, self.info_path = 0, Path("/there/stack.json")

    def start(self, **_: object) -> None:
        """Or not."""
        if _Lane.fails:
            raise HarnessError("no PostgreSQL today")

    def stop(self) -> None:
        """Count."""
        self.stopped += 1


class _Asked(Session):
    """Starts no pytest, and says which it would have started."""

    asked: list[dict[str, Any]]
    waited: list[int]

    def _start_pytest(self, name: str, selection: Selection, **how: Any) -> Any:
        self.asked.append({"name": name, **how})
        return object()

    def _results(self, children: Sequence[Any], selection: Selection) -> set[int]:
        self.waited.append(len(children))
        return {0}


def _target(**changes: Any) -> Target:
    given = {"name": "x", "base_url": "http://127.0.0.1:${port}", "start": {"web": ["web"]}}
    return Target.model_validate(given | {"tenants": {"provision": ["true"]}} | changes)


def _made(target: Target, folder: Path) -> _Asked:
    run = folder / "run"
    run.mkdir()
    made = _Asked(target, clock=RunClock.starting_now(), seed=1, folder=run, watcher=_Nobody(), reproduce="golive run")
    made.asked, made.waited = [], []
    return made


@pytest.fixture
def session(tmp_path: Path) -> Iterator[_Asked]:
    """Of a target that can be started a second time."""
    made = _made(_target(), tmp_path)
    yield made
    made.stop()


def test_a_scenario_is_the_lanes_that_asked_first(session: _Asked) -> None:
    assert session._claim({"what": "R-01", "lane": "2"})
    assert not session._claim({"what": "R-01", "lane": "1"})
    assert session._claim({"what": "R-01", "lane": "2"}), "whoever travels asks for its company again and again"
    assert session._claim({"what": "R-02", "lane": "1"})


def test_of_many_that_ask_at_once_one_has_it(session: _Asked) -> None:
    ready, won = threading.Barrier(8), []

    def ask(lane: int) -> None:
        for number in range(50):
            ready.wait()
            if session._claim({"what": f"R-{number}", "lane": str(lane)}):
                won.append(number)

    threads = [threading.Thread(target=ask, args=(lane,)) for lane in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(won) == list(range(50))


@pytest.mark.parametrize(
    ("selection", "lanes"),
    [
        (Selection(workers=3), 3),
        (Selection(workers=3, suites=("recovery",)), 3),
        (Selection(workers=2, suites=("gateways", "monitoring")), 2),
        (Selection(workers=3, suites=("gateways",)), 1),
        (Selection(workers=3, expression="R-44"), 1),
        (Selection(workers=3, last_failed=True), 1),
        (Selection(workers=3, stop_at_first=True), 1),
    ],
)
def test_lanes_are_opened_where_much_must_be_alone(session: _Asked, selection: Selection, lanes: int) -> None:
    assert session._lanes_for(selection) == lanes


def test_a_target_that_cannot_be_started_twice_has_one_lane(tmp_path: Path) -> None:
    tied = _made(_target(base_url="http://127.0.0.1:8080"), tmp_path)
    assert tied._lanes_for(Selection(workers=3)) == 1
    tied.stop()


def test_without_lanes_there_is_one_pass_and_it_claims_nothing(session: _Asked) -> None:
    assert session._alone(Selection()) == {0}
    assert session.asked == [{"name": "exclusive", "mark": "exclusive"}]
    assert not session._cache.exists(), "pytest's own cache has it"


def test_each_lane_has_its_stack_and_its_name_and_all_run_at_once(
    session: _Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(3)
    session._alone(Selection())
    assert [one["lane"] for one in session.asked] == ["1", "2", "3"]
    assert [one["stack"] for one in session.asked] == [session.stack, *session._lanes]
    assert {one["mark"] for one in session.asked} == {"exclusive"}
    assert len({one["name"] for one in session.asked}) == 3, "each has a log of its own"
    assert session.waited == [3], "all are started before one is waited for"
    assert session._stacks() == [session.stack, *session._lanes], "whoever looks into stacks looks into all"


def test_a_lane_that_does_not_start_is_stopped_all_the_same(session: _Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    monkeypatch.setattr(_Lane, "fails", True)
    with pytest.raises(HarnessError, match="no PostgreSQL today"):
        session._open_lanes(2)
    (lane,) = session._lanes
    session.stop()
    assert lane.stopped == 1  # type: ignore[attr-defined]  # a _Lane


def test_a_lane_leaves_the_cache_of_the_last_run_alone(session: _Asked) -> None:
    alone = session._argv(Selection(), workers=0, mark="exclusive", lane="2")
    assert alone[alone.index("--golive-lane") + 1] == "2"
    assert "no:cacheprovider" in alone
    assert not [one for one in alone if one.startswith("cache_dir=")]
    shared = session._argv(Selection(), workers=0, mark="exclusive")
    assert f"cache_dir={session._cache}" in shared
    assert "no:cacheprovider" not in shared


def _remembered(session: Session) -> dict[str, bool]:
    told: dict[str, bool] = json.loads((session._cache / "v/cache/lastfailed").read_text(encoding="utf-8"))
    return told


def _end(session: Session, nodeid: str, outcome: str) -> None:
    session._finished({"nodeid": nodeid, "outcome": outcome, "duration_s": 0.0})


def test_what_was_red_in_any_lane_is_remembered_and_what_is_green_again_is_not(
    session: _Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = session._cache / "v" / "cache"
    cache.mkdir(parents=True)
    before = {"a::green_now": True, "a::not_looked_at": True, "a::still_red": True}
    (cache / "lastfailed").write_text(json.dumps(before))
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(2)
    for nodeid, outcome in {
        "a::green_now": "passed",
        "a::still_red": "failed",
        "a::new": "failed",
        "a::ours": "error",
        "a::fine": "passed",
        "a::not_observed": "skipped",
    }.items():
        _end(session, nodeid, outcome)
    session._alone(Selection())
    assert _remembered(session) == dict.fromkeys(("a::not_looked_at", "a::still_red", "a::new", "a::ours"), True)


def test_the_first_run_of_all_remembers_too(session: _Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(2)
    _end(session, "a::new", "failed")
    session._alone(Selection())
    assert _remembered(session) == {"a::new": True}
