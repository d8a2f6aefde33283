"""What must be alone runs in lanes: each scenario once, in one of them, and what was red is remembered for all."""

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli import session as module
from harness.clock import RunClock
from harness.errors import HarnessError, UsageError
from harness.pytest_plugin import STACK_VARIABLE
from harness.records import Arrival, ScenarioResult
from harness.runs.scenario_run import Selection, Session
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

    def __init__(self, *_: object, **how: Any) -> None:
        self.how, self.operations = how, {}
        self.stopped, self.info_path = 0, how["logs"] / "stack.json"
        self.meta_url, self.tenants = str(how["logs"]), {"x": SimpleNamespace(pixel_id="lane's")}
        self.nursery = SimpleNamespace(names=lambda _: [])

    def start(self, *, operations: Any) -> None:
        """Or not."""
        self.operations = operations
        if _Lane.fails:
            raise HarnessError("no PostgreSQL today")

    def stop(self) -> None:
        """Count."""
        self.stopped += 1


class _Child:
    """In the place of a pytest; `code` None: it runs until it is killed."""

    log = Path("/there/pytest.log")

    def __init__(self, code: int | None) -> None:
        self.code, self.killed, self.asked, self.process = code, False, 0, self

    def running(self) -> bool:
        return self.code is None and not self.killed

    def wait(self, timeout: float | None = None) -> int:
        self.asked += 1
        if self.code is None:
            raise subprocess.TimeoutExpired("pytest", timeout or 0)
        return self.code

    def kill(self) -> None:
        self.killed = True


class _Asked(Session):
    """Starts no pytest, and says which it would have started."""

    asked: list[dict[str, Any]]
    waited: list[int]
    codes: set[int]

    def _start_pytest(self, name: str, selection: Selection, **how: Any) -> Any:
        self.asked.append({"name": name, **how})
        return object()

    def _results(self, children: Sequence[Any], selection: Selection) -> set[int]:
        self.waited.append(len(children))
        return set(self.codes)


def _target(**changes: Any) -> Target:
    given = {"name": "x", "base_url": "http://127.0.0.1:${port}", "start": {"web": ["web"]}}
    return Target.model_validate(given | {"tenants": {"provision": ["true"]}} | changes)


def _made(target: Target, folder: Path) -> _Asked:
    run = folder / "run"
    run.mkdir()
    made = _Asked(target, clock=RunClock.starting_now(), seed=1, folder=run, watcher=_Nobody(), reproduce="golive run")
    made.asked, made.waited, made.codes = [], [], {0}
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


class _Slow(dict[str, str]):
    """Whoever looks into it stays there until another looks, too, or until nobody else seems able to."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def __contains__(self, what: object) -> bool:
        known = super().__contains__(what)
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.3)
        return known

    def setdefault(self, what: str, lane: str) -> str:  # type: ignore[override]
        """As a dict does it, but not at one stroke."""
        if what not in self:
            self[what] = lane
        return self[what]


def test_of_two_that_ask_at_once_one_has_it(session: _Asked) -> None:
    session._claims = _Slow()
    won: list[str] = []

    def ask(lane: str) -> None:
        if session._claim({"what": "R-01", "lane": lane}):
            won.append(lane)

    threads = [threading.Thread(target=ask, args=(lane,)) for lane in ("1", "2")]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=30)
    assert len(won) == 1, "the other would run it a second time"


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


def test_every_scenario_is_of_one_pass(session: _Asked) -> None:
    session.run(Selection(workers=2, suites=("gateways",)))
    assert [(one["name"], one["mark"]) for one in session.asked] == [
        ("parallel", "not exclusive"),
        ("exclusive", "exclusive"),
    ]


@pytest.mark.parametrize("why", ["a part died", "stop at the first"])
def test_the_second_pass_is_left_out_where_the_run_is_over(session: _Asked, why: str) -> None:
    if why == "a part died":
        session._abort.set()
    else:
        _end(session, "a::red", "failed")
    session.run(Selection(workers=2, suites=("gateways",), stop_at_first=why == "stop at the first"))
    assert [one["name"] for one in session.asked] == ["parallel"]


def test_a_red_scenario_does_not_leave_the_second_pass_out(session: _Asked) -> None:
    _end(session, "a::red", "failed")
    session.run(Selection(workers=2, suites=("gateways",)))
    assert [one["name"] for one in session.asked] == ["parallel", "exclusive"]


def test_passes_without_a_scenario_are_no_run(session: _Asked) -> None:
    session.codes = {5}
    with pytest.raises(UsageError, match="No scenario matches 'G-99'"):
        session.run(Selection(expression="G-99"))


def test_a_lane_is_watched_and_answered_as_the_first_stack_is(session: _Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(3)
    lanes: Any = session._lanes
    for lane in lanes:
        assert lane.operations["claim"] == session._claim
        assert lane.operations.keys() == session._shared_operations().keys()
        assert lane.how["on_death"] == session._died, "a target that dies there breaks its promise, too"
        assert (lane.how["seed"], lane.how["clock"]) == (1, session.stack.clock)
    assert len({session.stack.logs, *(lane.how["logs"] for lane in lanes)}) == 3, "each has logs that are searched"


def test_each_lanes_pytest_is_told_of_its_own_stack(session: _Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(2)
    started: list[dict[str, Any]] = []

    def start(name: str, argv: Sequence[str], **how: Any) -> Any:
        started.append({"name": name, "argv": argv, **how})
        return SimpleNamespace(expected=False)

    monkeypatch.setattr(session.stack.nursery, "start", start)
    for number, stack in enumerate(session._stacks(), start=1):
        child = Session._start_pytest(
            session, f"exclusive, lane {number}", Selection(), mark="exclusive", stack=stack, lane=str(number)
        )
        assert child.expected, "that it ends is no death"
    assert [one["env"][STACK_VARIABLE] for one in started] == [str(one.info_path) for one in session._stacks()]
    assert len({one["log"] for one in started}) == len({one["name"] for one in started}) == 2
    assert [one["argv"][one["argv"].index("--golive-lane") + 1] for one in started] == ["1", "2"]


@pytest.mark.parametrize(
    ("code", "how", "complaint"),
    [
        (0, "", ""),
        (1, "red", ""),
        (1, "", "a red scenario that nobody reported"),
        (2, "red, stop at first", ""),
        (2, "red", "exit code 2"),
        (2, "stop at first", "exit code 2"),
        (3, "red", "exit code 3"),
        (4, "", "exit code 4"),
        (5, "", ""),
        (-9, "", "exit code -9"),
    ],
)
@pytest.mark.parametrize("lane", [0, 1])
def test_how_a_pytest_ends_is_looked_at_in_every_lane(
    session: _Asked, code: int, how: str, complaint: str, lane: int
) -> None:
    if "red" in how:
        _end(session, "a::red", "failed")
    children: list[Any] = [_Child(0), _Child(0)]
    children[lane] = _Child(code)
    selection = Selection(stop_at_first="stop at first" in how)
    if complaint:
        with pytest.raises(HarnessError, match=complaint):
            Session._results(session, children, selection)
    else:
        assert Session._results(session, children, selection) == {0, code}


def test_a_run_that_is_over_waits_for_no_lane_and_leaves_none_running(session: _Asked) -> None:
    session._abort.set()
    children: list[Any] = [_Child(None), _Child(None)]
    assert Session._results(session, children, Selection()) == set()
    assert [one.killed for one in children] == [True, True]


def test_a_run_that_ends_while_a_lane_is_waited_for_kills_all_lanes(session: _Asked) -> None:
    first, second = _Child(None), _Child(None)

    def wait(timeout: float | None = None) -> int:
        session._abort.set()
        raise subprocess.TimeoutExpired("pytest", timeout or 0)

    first.wait = wait  # type: ignore[method-assign]
    assert Session._results(session, [first, second], Selection()) == set()  # type: ignore[list-item]
    assert (first.killed, second.killed) == (True, True)


def _arrival(event_id: str, event_name: str = "Purchase") -> Arrival:
    return Arrival(
        event_id=event_id, event_name=event_name, order_id="o", keys=(), counted=True, refused=False, at_s=0.0
    )


@pytest.mark.parametrize(
    ("pixel", "events", "complaint"),
    [
        ("lane's", ["Purchase"], ""),
        ("lane's", ["Purchase", "PageView"], ""),
        ("lane's", ["Purchase", "Purchase"], "counted 1 more event for the tenant of R-90 after its ledger"),
        ("lane's", [], "counted -1 more"),
        ("nobody's", ["Purchase"], "1 pixel of no tenant of this run, like nobody's"),
    ],
)
def test_what_meta_counts_after_a_ledger_is_closed_is_seen_in_every_lane(
    session: _Asked, monkeypatch: pytest.MonkeyPatch, pixel: str, events: list[str], complaint: str
) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(2)
    if pixel == "lane's":
        details = {"counted": {pixel: 1}, "told": {pixel: ["told"]}}
        session._finished({"nodeid": "a", "key": "R-90", "outcome": "passed", "duration_s": 0.0, "details": details})
    arrived = {pixel: [_arrival("told" if name == "PageView" else str(n), name) for n, name in enumerate(events)]}
    monkeypatch.setattr(
        module, "MetaArrivals", lambda url: SimpleNamespace(by_pixel=lambda: arrived if "lane-2" in url else {})
    )
    session.look_once_more()
    assert (complaint in session.findings.broken[0]) if complaint else session.findings.broken == []


@pytest.mark.parametrize("leaky", [0, 1])
def test_every_lane_is_searched_for_personal_data(session: _Asked, monkeypatch: pytest.MonkeyPatch, leaky: int) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    monkeypatch.setattr(module, "_secrets", lambda _: [])
    session._open_lanes(2)
    stopped: list[Any] = []
    monkeypatch.setattr(session, "_stop_target", stopped.append, raising=False)
    said = dict(zip(map(id, session._stacks()), (["nothing"], ["nothing"]), strict=True))
    said[id(session._stacks()[leaky])] = ["ana.canary@example.test has bought"]
    monkeypatch.setattr(module, "_places", lambda stack: {"log target-web.log": said[id(stack)]})
    monkeypatch.setattr(module.places, "files", lambda *_, **__: {})
    session.findings.canaries.add(("email", "ana.canary@example.test"))
    session.hunt()
    assert session.findings.privacy.leaks == ("log target-web.log: a plain email",)
    assert stopped == session._stacks(), "what a target says as it ends is searched, too"


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
    unread = {"harness_error": "the ledger could not be read"}
    session._finished({"nodeid": "a::unread", "outcome": "passed", "duration_s": 0.0, "details": unread})
    session._alone(Selection())
    red = ("a::not_looked_at", "a::still_red", "a::new", "a::ours", "a::unread")
    assert _remembered(session) == dict.fromkeys(red, True)


def test_the_first_run_of_all_remembers_too(session: _Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Stack", _Lane)
    session._open_lanes(2)
    _end(session, "a::new", "failed")
    session._alone(Selection())
    assert _remembered(session) == {"a::new": True}
