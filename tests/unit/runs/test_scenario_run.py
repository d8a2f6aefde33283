"""A run of scenarios: which are chosen, what is remembered, what every stack of it has in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.records import Arrival, Ledger
from harness.runs import scenario_run as module
from harness.runs.durations import Durations
from harness.runs.scenario_run import LAST_FAILED, ScenarioRun, Selection
from harness.runs.schedule import Schedule
from harness.scenario_events import CollectedScenario, ScenarioDetails, ScenarioFinished
from harness.sharding import Shard
from harness.target import Target


class Watcher:
    def phase(self, name: str) -> None:
        """Not watched."""

    def expects(self, scenarios: int, seconds: float, *, measured: bool) -> None:
        """Not watched."""

    def started(self, name: str) -> None:
        """Not watched."""

    def finished(self, result: Any) -> None:
        """Not watched."""


class IsolatedStack:
    """In the place of a stack beside the first."""

    error: Exception | None = None

    def __init__(self, *_: object, **options: Any) -> None:
        self.options, self.operations, self.stopped = options, {}, 0
        self.info_path = options["logs"] / "stack.json"
        self.meta_url, self.tenants = str(options["logs"]), {"x": SimpleNamespace(pixel_id="isolated pixel")}
        self.nursery = SimpleNamespace(names=lambda _: [])

    def start(self, *, operations: Any) -> None:
        self.operations = operations
        if IsolatedStack.error is not None:
            raise IsolatedStack.error

    def stop(self) -> None:
        self.stopped += 1


class Pool:
    """In the place of a pool: remembers which places were opened."""

    def __init__(self) -> None:
        self.places: list[Any] = []

    def open(self, place: Any) -> None:
        self.places.append(place)


def target(**changes: Any) -> Target:
    given = {"name": "x", "base_url": "http://127.0.0.1:${port}", "start": {"web": ["web"]}}
    return Target.model_validate(given | {"tenants": {"provision": ["true"]}} | changes)


def made(folder: Path, **changes: Any) -> ScenarioRun:
    run = folder / "run"
    run.mkdir()
    return ScenarioRun(
        target(**changes),
        clock=RunClock.starting_now(),
        seed=1,
        folder=run,
        watcher=Watcher(),
        reproduce="golive run",
    )


def scenario(key: str, suite: str = "gateways", **changes: Any) -> CollectedScenario:
    return CollectedScenario(key=key, title=key, suite=suite, **changes)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScenarioRun]:
    """Of a target that can be started a second time; no stack is started."""
    found = made(tmp_path)
    monkeypatch.setattr(module, "Stack", IsolatedStack)
    monkeypatch.setattr(IsolatedStack, "error", None)
    yield found
    found.stop()


def collected(run: ScenarioRun, *scenarios: CollectedScenario) -> None:
    run._collected = lambda: scenarios  # type: ignore[method-assign]  # a stand-in


def finish(run: ScenarioRun, key: str, outcome: Any, **details: Any) -> None:
    result = ScenarioFinished(key=key, outcome=outcome, duration_s=0.1, details=ScenarioDetails(**details))
    run._finished(scenario(key), result)


def test_everyday_run_leaves_the_long_suites_out_and_says_so(run: ScenarioRun) -> None:
    long = scenario("R-01", "recovery", proves=("011.3/retry",))
    collected(run, scenario("G-01"), long, scenario("W-01", "monitoring"))
    assert [one.key for one in run.chosen(Selection(everyday=True))] == ["G-01"]
    assert [(one.id, one.suite, one.proves) for one in run.findings.left_out] == [
        ("R-01", "recovery", ("011.3/retry",)),
        ("W-01", "monitoring", ()),
    ]


def test_whole_run_leaves_nothing_out(run: ScenarioRun) -> None:
    collected(run, scenario("G-01"), scenario("R-01", "recovery"))
    assert [one.key for one in run.chosen(Selection())] == ["G-01", "R-01"]
    assert run.findings.left_out == []


def test_shards_of_an_everyday_run_plan_what_they_run_together(run: ScenarioRun) -> None:
    scenarios = [scenario(f"G-{number}") for number in range(20)]
    collected(run, *scenarios, scenario("R-01", "recovery"))
    halves = [Selection(everyday=True, shard=Shard(index, 2)) for index in (1, 2)]
    chosen = [{one.key for one in run.chosen(half)} for half in halves]
    assert chosen[0] | chosen[1] == {one.key for one in scenarios}
    assert not chosen[0] & chosen[1]
    assert {one.id for one in run.plan(halves[0])} == {one.key for one in scenarios}


def test_only_named_keys_are_chosen(run: ScenarioRun) -> None:
    collected(run, scenario("G-01"), scenario("G-011"))
    assert [one.key for one in run.chosen(Selection(keys=frozenset({"G-01"})))] == ["G-01"]


def test_expression_that_matches_nothing_is_a_usage_error(run: ScenarioRun) -> None:
    collected(run)
    with pytest.raises(UsageError, match=r"No scenario matches 'G-99' in smoke"):
        run.chosen(Selection(expression="G-99", suites=("smoke",)))


def test_file_without_a_scenario_is_a_harness_error(run: ScenarioRun) -> None:
    collected(run)
    with pytest.raises(HarnessError, match=r"there is no scenario in .*drill_dlq.py"):
        run.chosen(Selection(file=Path("/there/drill_dlq.py")))


def test_nothing_red_the_last_time_is_a_usage_error(run: ScenarioRun) -> None:
    collected(run, scenario("G-01"))
    with pytest.raises(UsageError, match="Nothing was red the last time"):
        run.chosen(Selection(last_failed=True))


def test_red_scenarios_are_remembered_until_they_are_green(run: ScenarioRun) -> None:
    collected(run, *(scenario(key) for key in ("green now", "not run", "still red", "new", "ours", "skipped")))
    file = run._folder.parent / LAST_FAILED
    file.write_text(json.dumps(["green now", "not run", "still red"]))
    for key, outcome in {
        "green now": "passed",
        "still red": "failed",
        "new": "failed",
        "ours": "error",
        "skipped": "skipped",
    }.items():
        finish(run, key, outcome)
    red = {"not run", "still red", "new", "ours"}
    assert set(json.loads(file.read_text())) == red
    assert {one.key for one in run.chosen(Selection(last_failed=True))} == red


def test_first_red_scenario_of_all_is_remembered(run: ScenarioRun) -> None:
    finish(run, "new", "failed")
    assert json.loads((run._folder.parent / LAST_FAILED).read_text()) == ["new"]


def test_variant_that_means_nothing_for_its_vendor_is_no_result(run: ScenarioRun) -> None:
    result = ScenarioFinished(key="G-01", outcome="skipped", duration_s=0, message="not applicable: no such event")
    run._finished(scenario("G-01"), result)
    assert run.findings.scenarios == []
    assert run.findings.not_applicable == ["G-01"]


def test_result_says_which_rows_of_its_gateway_it_proves(run: ScenarioRun) -> None:
    claimed = scenario("G-01[hotmart]", proves=("gateway/hmac",), gateway="hotmart")
    run._finished(claimed, ScenarioFinished(key=claimed.key, outcome="passed", duration_s=0.2))
    (result,) = run.findings.scenarios
    assert result.proves == ("011.4a/hmac",)
    assert result.reproduce == "golive run -k 'G-01[hotmart]'"


def schedule(*scenarios: CollectedScenario) -> Schedule:
    return Schedule.of(scenarios, Durations().expected_s)


MUCH = [scenario(f"R-{number}", exclusive=True) for number in range(60)]
SHARED = scenario("G-01")


@pytest.mark.parametrize(
    ("scenarios", "selection", "at_least", "at_most"),
    [
        ([SHARED, *MUCH], Selection(), 1, 99),
        ([SHARED, *MUCH], Selection(workers=3), 1, 2),
        ([SHARED, *MUCH], Selection(workers=1), 0, 0),
        ([SHARED, *MUCH[:2]], Selection(), 1, 1),
        ([SHARED, MUCH[0]], Selection(), 0, 0),
        ([SHARED], Selection(), 0, 0),
        (MUCH[:1], Selection(), 0, 0),
        (MUCH[:4], Selection(), 0, 0),
    ],
)
def test_isolated_stacks_are_as_many_as_the_work_is_worth(
    run: ScenarioRun, scenarios: list[CollectedScenario], selection: Selection, at_least: int, at_most: int
) -> None:
    assert at_least <= run._isolated_stacks(schedule(*scenarios), selection) <= at_most


def test_target_that_cannot_be_started_twice_has_one_stack(tmp_path: Path) -> None:
    tied = made(tmp_path, base_url="http://127.0.0.1:8080")
    assert tied._isolated_stacks(schedule(SHARED, *MUCH), Selection()) == 0
    tied.stop()


def test_isolated_stack_is_watched_and_answered_as_the_first_is(run: ScenarioRun) -> None:
    pool: Any = Pool()
    run._open_isolated(pool, schedule(SHARED, *MUCH), 2)
    stacks: Any = run._isolated
    assert [one.stack for one in pool.places] == stacks
    assert {(one.queue, one.workers, one.after_shared) for one in pool.places} == {("alone", 1, False)}
    for stack in stacks:
        assert stack.operations.keys() == run._shared_operations().keys()
        assert stack.options["on_death"] == run._died, "a target that dies there breaks its promise, too"
        assert (stack.options["seed"], stack.options["clock"]) == (1, run.stack.clock)
    assert len({run.stack.logs, *(stack.options["logs"] for stack in stacks)}) == 3, "all logs are searched"
    assert run._stacks() == [run.stack, *stacks]


def test_isolated_stack_is_not_opened_when_nothing_is_left_for_it(run: ScenarioRun) -> None:
    pool: Any = Pool()
    run._open_isolated(pool, schedule(SHARED), 2)
    assert pool.places == run._isolated == []


@pytest.mark.parametrize("whose", ["ours", "the target's"])
def test_isolated_stack_that_does_not_start_ends_the_run_and_is_stopped(
    run: ScenarioRun, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    error = HarnessError("no PostgreSQL today") if whose == "ours" else PromiseBroken("it did not become ready")
    monkeypatch.setattr(IsolatedStack, "error", error)
    pool: Any = Pool()
    run._open_isolated(pool, schedule(SHARED, *MUCH), 2)
    where = run.findings.harness_errors if whose == "ours" else run.findings.broken
    assert len(where) == 1
    assert str(error) in where[0]
    assert run._abort.is_set()
    assert pool.places == []
    (stack,) = run._isolated
    run.stop()
    assert stack.stopped == 1  # type: ignore[attr-defined]  # an IsolatedStack


def arrival(event_id: str, event_name: str) -> Arrival:
    return Arrival(
        event_id=event_id, event_name=event_name, order_id="o", keys=(), counted=True, refused=False, at_s=0.0
    )


@pytest.mark.parametrize(
    ("pixel", "events", "complaint"),
    [
        ("isolated pixel", ["Purchase"], ""),
        ("isolated pixel", ["Purchase", "PageView"], ""),
        ("isolated pixel", ["Purchase", "Purchase"], "counted 1 more event for the tenant of R-90 after its ledger"),
        ("isolated pixel", [], "counted -1 more"),
        ("strange pixel", ["Purchase"], "1 pixel of no tenant of this run, like strange pixel"),
    ],
)
def test_events_after_a_closed_ledger_are_seen_on_every_stack(
    run: ScenarioRun, monkeypatch: pytest.MonkeyPatch, pixel: str, events: list[str], complaint: str
) -> None:
    run._open_isolated(Pool(), schedule(SHARED, *MUCH), 1)  # type: ignore[arg-type]  # a stand-in
    if pixel == "isolated pixel":
        finish(run, "R-90", "passed", counted={pixel: 1}, told={pixel: ("told",)})
    arrived = {pixel: [arrival("told" if name == "PageView" else str(n), name) for n, name in enumerate(events)]}
    monkeypatch.setattr(
        module, "MetaArrivals", lambda url: SimpleNamespace(by_pixel=lambda: arrived if "isolated" in url else {})
    )
    run.look_once_more()
    assert (complaint in run.findings.broken[0]) if complaint else run.findings.broken == []


@pytest.mark.parametrize(
    ("waiting", "late", "is_broken"),
    [
        (Ledger(deliveries=1, accepted=1, held=1), 1, False),
        (Ledger(deliveries=1, accepted=1, dead_lettered=1), 1, False),
        (Ledger(deliveries=1, accepted=1, held=1), 2, True),
        (Ledger(deliveries=1, accepted=1, delivered=1), 1, True),
    ],
)
def test_what_was_held_or_dead_lettered_may_be_counted_later(
    run: ScenarioRun, monkeypatch: pytest.MonkeyPatch, waiting: Ledger, late: int, is_broken: bool
) -> None:
    """Both close a ledger: a held sale goes on its way when it can, another scenario's redrive is everybody's."""
    finish(run, "R-91", "passed", counted={"a pixel": 1}, ledger=waiting)
    arrived = {"a pixel": [arrival(str(number), "Purchase") for number in range(1 + late)]}
    monkeypatch.setattr(module, "MetaArrivals", lambda url: SimpleNamespace(by_pixel=lambda: arrived))
    with monkeypatch.context() as patch:  # the run's own stack is still stopped by its fixture
        patch.setattr(run, "_stacks", lambda: [_stack_of("a pixel")])
        run.look_once_more()
    assert bool(run.findings.broken) == is_broken


def _stack_of(pixel: str) -> Any:
    return SimpleNamespace(meta_url="http://127.0.0.1:1", tenants={"t": SimpleNamespace(pixel_id=pixel)})


@pytest.mark.parametrize("leaky", [0, 1])
def test_every_stack_is_searched_for_personal_data_after_its_target_has_ended(
    run: ScenarioRun, monkeypatch: pytest.MonkeyPatch, leaky: int
) -> None:
    monkeypatch.setattr(module, "_secrets", lambda _: [])
    run._open_isolated(Pool(), schedule(SHARED, *MUCH), 1)  # type: ignore[arg-type]  # a stand-in
    events: list[str] = []
    child = SimpleNamespace(ask_to_stop=lambda: None, ensure_stopped=lambda: events.append("stopped"))
    for stack in run._stacks():
        monkeypatch.setattr(stack.nursery, "names", lambda _: ["web"])
        monkeypatch.setattr(stack.nursery, "get", lambda _: child, raising=False)
    rows = {id(stack): ["nothing"] for stack in run._stacks()}
    rows[id(run._stacks()[leaky])] = ["ana.canary@example.test has bought"]

    def places(stack: Any) -> Any:
        events.append("searched")
        return {"log target-web.log": rows[id(stack)]}

    monkeypatch.setattr(module, "_places", places)
    monkeypatch.setattr(module.places, "files", lambda *_, **__: {})
    run.findings.canaries.add(("email", "ana.canary@example.test"))
    run.hunt()
    assert run.findings.privacy.leaks == ("log target-web.log: a plain email",)
    assert events == ["stopped", "stopped", "searched", "searched"], "what a target writes as it ends is searched, too"


def test_run_whose_scenarios_were_never_begun_is_a_harness_error(run: ScenarioRun) -> None:
    run._runner = SimpleNamespace(running=lambda: True, last_words=lambda: "Its log.", close=lambda: None)  # type: ignore[assignment]  # a stand-in
    left = schedule(SHARED)
    with pytest.raises(HarnessError, match="1 scenarios were never begun"):
        run._check_complete(left, Selection())
    run._check_complete(left, Selection(stop_at_first=True))
    left.clear()
    run._check_complete(left, Selection())


def test_run_whose_runner_has_ended_is_a_harness_error(run: ScenarioRun) -> None:
    run._runner = SimpleNamespace(running=lambda: False, last_words=lambda: "Its log: MemoryError", close=lambda: None)  # type: ignore[assignment]  # a stand-in
    with pytest.raises(HarnessError, match=r"has ended\. Its log: MemoryError"):
        run._check_complete(schedule(), Selection())
