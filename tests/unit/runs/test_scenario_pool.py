"""The pool: who may run where and when, and what becomes of a worker that dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.errors import PromiseBroken
from harness.runs.scenario_pool import BusyCores, Fixed, Place, ScenarioPool
from harness.runs.schedule import Schedule
from harness.scenario_events import CollectedScenario, ScenarioFinished, to_json
from tests.rows import each_row

LIMIT_S = 20.0


def scenario(key: str, **changes: Any) -> CollectedScenario:
    return CollectedScenario(key=key, title=key, suite="gateways", **changes)


class Runner:
    """In the place of the pytest process: a worker is a thread that claims, works and reports."""

    def __init__(self, work: Callable[[str, str], str] = lambda worker, key: "passed") -> None:
        self.work = work
        self.handlers: dict[str, Any] = {}
        self.forked: list[tuple[str, str]] = []
        self.ran: list[tuple[str, str]] = []
        self.threads: list[threading.Thread] = []

    def listen(self, handlers: dict[str, Any]) -> None:
        self.handlers = handlers

    def running(self) -> bool:
        return True

    def kill_workers(self) -> tuple[str, ...]:
        """Nothing to kill: threads end by themselves."""
        return ()

    def fork(self, worker: str, *, info: Path, log: Path) -> None:
        self.forked.append((worker, str(info)))
        thread = threading.Thread(target=self._live, args=(worker, log), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _live(self, worker: str, log: Path) -> None:
        exit_code = 0
        while (claimed := self.handlers["claim"]({"worker": worker})) is not None:
            key = claimed["key"]
            self.ran.append((worker.rpartition("-")[0], key))
            self.handlers["started"]({"worker": worker, "key": key})
            outcome = self.work(worker, key)
            if outcome == "dies":
                log.write_text("Segmentation fault")
                exit_code = -11
                break
            finished = ScenarioFinished(key=key, outcome=outcome, duration_s=0.1)  # type: ignore[arg-type]  # a test's word
            self.handlers["finished"]({"worker": worker, "result": to_json(finished)})
        self.handlers["worker_ended"]({"worker": worker, "exit_code": exit_code})


class Stack:
    """In the place of a stack: remembers which tenants it was asked to make."""

    def __init__(self, name: str, *, command: bool = False, fails: str = "") -> None:
        self.info_path = Path("/there") / name
        self.seed = 7
        provision: Any = ["make-tenants"] if command else "http://127.0.0.1:1/tenants"
        tenants = SimpleNamespace(provision=provision)
        self.target = SimpleNamespace(gateways={"stripe": ("vendor",)}, tenants=tenants)
        self.tenants: dict[str, Any] = {}
        self.calls: list[int] = []
        self._fails = fails

    def provision(self, tenants: list[Any]) -> None:
        if self._fails:
            raise PromiseBroken(self._fails)
        self.calls.append(len(tenants))
        self.tenants.update({one.tenant: one for one in tenants})


class Run:
    """A pool with everything around it."""

    def __init__(self, tmp_path: Path, runner: Runner, *scenarios: CollectedScenario, workers: int = 4) -> None:
        self.finished: list[ScenarioFinished] = []
        self.broken: list[str] = []
        self.started: list[str] = []
        self.aborted = threading.Event()
        self.schedule = Schedule.of(scenarios, lambda _: 1.0)
        self.pool = ScenarioPool(
            runner,  # type: ignore[arg-type]  # a stand-in
            self.schedule,
            capacity=Fixed(workers),
            logs=tmp_path,
            on_started=self.started.append,
            on_finished=lambda _, result: self.finished.append(result),
            on_broken=self.broken.append,
        )

    def open(self, name: str, queue: Any, stack: Stack, workers: int = 1, **options: Any) -> Run:
        self.pool.open(Place(name=name, queue=queue, stack=stack, workers=workers, **options))  # type: ignore[arg-type]  # a stand-in
        return self

    def outcomes(self) -> dict[str, str]:
        watch = threading.Timer(LIMIT_S, self.aborted.set)
        watch.start()
        self.pool.run(self.aborted)
        assert not self.aborted.is_set(), "it did not come to its end"
        watch.cancel()
        return {one.key: one.outcome for one in self.finished}


def test_each_scenario_runs_once(tmp_path: Path) -> None:
    runner = Runner()
    run = Run(tmp_path, runner, *(scenario(f"G-{number}") for number in range(50)))
    outcomes = run.open("shared", "shared", Stack("first"), workers=50).outcomes()
    assert len(runner.ran) == len(set(runner.ran)) == len(outcomes) == len(run.started) == 50
    assert len(runner.forked) <= 50


def test_no_more_workers_than_allowed_are_at_work(tmp_path: Path) -> None:
    lock, most, active = threading.Lock(), [0], [0]

    def work(worker: str, key: str) -> str:
        with lock:
            active[0] += 1
            most[0] = max(most[0], active[0])
        with lock:
            active[0] -= 1
        return "passed"

    run = Run(tmp_path, Runner(work), *(scenario(f"G-{number}") for number in range(40)), workers=3)
    run.open("shared", "shared", Stack("first"), workers=40).outcomes()
    assert 1 <= most[0] <= 3


def test_scenario_that_must_be_alone_waits_on_the_first_stack_until_nobody_shares_it(tmp_path: Path) -> None:
    runner = Runner()
    run = Run(tmp_path, runner, *(scenario(f"G-{n}") for n in range(6)), scenario("R-1", exclusive=True))
    first = Stack("first")
    run.open("alone", "alone", first, after_shared=True).open("shared", "shared", first, workers=6).outcomes()
    assert runner.ran[-1] == ("alone", "R-1")


def test_scenario_that_must_be_alone_runs_beside_the_others_on_a_stack_of_its_own(tmp_path: Path) -> None:
    """The shared one waits for it: run one after the other they would never end."""
    alone_has_begun = threading.Event()

    def work(worker: str, key: str) -> str:
        if key == "R-1":
            alone_has_begun.set()
            return "passed"
        return "passed" if alone_has_begun.wait(LIMIT_S) else "failed"

    run = Run(tmp_path, Runner(work), scenario("G-1"), scenario("R-1", exclusive=True))
    run.open("shared", "shared", Stack("first"), workers=1).open("isolated-1", "alone", Stack("second"))
    assert run.outcomes() == {"G-1": "passed", "R-1": "passed"}


def test_one_stack_runs_one_scenario_at_a_time_that_must_be_alone(tmp_path: Path) -> None:
    runner = Runner()
    run = Run(tmp_path, runner, *(scenario(f"R-{n}", exclusive=True) for n in range(5)))
    run.open("isolated-1", "alone", Stack("second")).outcomes()
    assert len(runner.forked) == 1


def test_place_that_opens_later_is_used(tmp_path: Path) -> None:
    opened = threading.Event()
    run: Run

    def work(worker: str, key: str) -> str:
        if not opened.is_set():
            opened.set()
            run.open("isolated-1", "alone", Stack("second"))
        return "passed"

    run = Run(tmp_path, Runner(work), scenario("G-1"), scenario("R-1", exclusive=True))
    run.open("shared", "shared", Stack("first"), workers=1)
    assert run.outcomes() == {"G-1": "passed", "R-1": "passed"}


def test_worker_that_dies_makes_its_scenario_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    runner = Runner(lambda worker, key: "dies" if key == "G-0" else "passed")
    run = Run(tmp_path, runner, *(scenario(f"G-{number}") for number in range(5)), workers=1)
    outcomes = run.open("shared", "shared", Stack("first"), workers=5).outcomes()
    assert outcomes == {"G-0": "error", **{f"G-{number}": "passed" for number in range(1, 5)}}
    died = next(one for one in run.finished if one.key == "G-0")
    assert died.blame == "harness"
    assert "was killed by SIGSEGV" in died.message
    assert "Segmentation fault" in died.message


def test_stopped_pool_begins_nothing_more(tmp_path: Path) -> None:
    run: Run

    def work(worker: str, key: str) -> str:
        run.pool.stop()
        return "failed"

    run = Run(tmp_path, Runner(work), *(scenario(f"G-{number}") for number in range(9)), workers=1)
    assert run.open("shared", "shared", Stack("first"), workers=9).outcomes() == {"G-0": "failed"}


def test_target_that_cannot_make_tenants_is_broken_once(tmp_path: Path) -> None:
    run = Run(tmp_path, Runner(), *(scenario(f"G-{number}") for number in range(5)), workers=1)
    run.open("shared", "shared", Stack("first", fails="provision ended with 1: no disk"), workers=5)
    assert run.outcomes() == {}
    assert run.broken == ["provision ended with 1: no disk"]


def test_command_makes_all_tenants_at_once_and_a_url_each_when_it_is_wanted(tmp_path: Path) -> None:
    for command, calls in ((True, [6]), (False, [2, 2, 2])):
        stack = Stack("first", command=command)
        run = Run(tmp_path, Runner(), *(scenario(f"G-{n}", tenants=2) for n in range(3)), workers=1)
        run.open("shared", "shared", stack, workers=3).outcomes()
        assert stack.calls == calls


def test_instance_with_its_own_clock_makes_its_own_tenants(tmp_path: Path) -> None:
    stack = Stack("first")
    run = Run(tmp_path, Runner(), scenario("W-1", exclusive=True, instance="monitored", day=1))
    run.open("monitored", "monitored", stack).outcomes()
    assert stack.calls == []


def test_aborted_run_starts_no_worker(tmp_path: Path) -> None:
    runner = Runner()
    run = Run(tmp_path, runner, scenario("G-1"))
    run.open("shared", "shared", Stack("first"))
    run.aborted.set()
    run.pool.run(run.aborted)
    assert runner.forked == []


@each_row(("busy", "limits"), [(50.0, [5, 6, 7]), (99.0, [4, 4, 4])])
def test_workers_are_added_while_the_cores_are_not_busy(busy: float, limits: list[int]) -> None:
    capacity = BusyCores(2, busy_percent=lambda: busy)
    seen: list[int] = []
    for _ in limits:
        seen.append(capacity.limit(seen[-1] if seen else 4))
    assert seen == limits


def test_worker_is_not_added_while_those_allowed_are_not_all_at_work() -> None:
    capacity = BusyCores(2, busy_percent=lambda: 0.0)
    assert [capacity.limit(3) for _ in range(5)] == [4] * 5


def test_workers_are_bounded_on_idle_cores() -> None:
    capacity = BusyCores(2, busy_percent=lambda: 0.0)
    limit = 4
    for _ in range(100):
        limit = capacity.limit(limit)
    assert limit == 2 * BusyCores.MOST_PER_CORE


class SlowRunner(Runner):
    """One that has not come to forking anything when all is to end."""

    def fork(self, worker: str, *, info: Path, log: Path) -> None:
        self.forked.append((worker, str(info)))

    def kill_workers(self) -> tuple[str, ...]:
        return tuple(worker for worker, _ in self.forked)


def test_a_worker_that_was_never_forked_is_not_waited_for(tmp_path: Path) -> None:
    """Its end is reported by nobody: a run that failed at once took ten seconds longer."""
    runner = SlowRunner()
    run = Run(tmp_path, runner, scenario("G-1"), scenario("G-2")).open("shared", "shared", Stack("one"), workers=2)
    run.aborted.set()
    run.pool._start_workers()
    assert len(runner.forked) == 2
    done = threading.Thread(target=run.pool.kill_workers, kwargs={"within_s": 3 * LIMIT_S}, daemon=True)
    done.start()
    done.join(LIMIT_S)
    assert not done.is_alive()
