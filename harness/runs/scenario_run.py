"""One run of scenarios: the stacks, the workers that run the scenarios, and what they have found.

Scenarios run in processes of their own and report over a control socket. Exactly one process, this one, starts and
kills parts of the stacks, notices when one dies, and leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from harness.checks import pages, privacy
from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.probes import places
from harness.probes.meta import MetaArrivals
from harness.readiness.rows import expand
from harness.records import NOT_APPLICABLE, Ledger, LeftOut, Planned, PrivacyResult, ScenarioResult
from harness.runs.clock_instances import ClockInstances
from harness.runs.durations import FILE as DURATIONS
from harness.runs.durations import Durations
from harness.runs.scenario_pool import BusyCores, Capacity, Fixed, Place, ScenarioPool
from harness.runs.scenario_runner import LONG_SUITES, ScenarioRunner, pytest_argv, scenarios_home
from harness.runs.schedule import CLOCKS, Schedule
from harness.scenario_events import CollectedScenario, ScenarioDetails, ScenarioFinished
from harness.sharding import Shard, shard_of
from harness.stack import monitoring
from harness.stack.control import Handler
from harness.stack.engine import LOCAL, Engine
from harness.stack.processes import Death
from harness.stack.stack import Stack
from harness.stack.travelling import no_second
from harness.target import Target
from harness.tenants import Tenant

#: Beside the runs: the scenarios that were red when they ran last.
LAST_FAILED = "last_failed.json"
#: Another isolated stack costs a start; it is worth it for so much work that must be alone, in seconds.
WORK_OF_AN_ISOLATED_STACK_S = 40.0


class Watcher(Protocol):
    """Who looks on while a run goes: a terminal, a log, nobody."""

    def phase(self, name: str) -> None:
        """A new part of the run begins."""

    def expects(self, scenarios: int, seconds: float, *, measured: bool) -> None:
        """So many scenarios will run, for about so long; `measured`: by earlier runs on this machine."""

    def started(self, name: str) -> None:
        """A scenario begins."""

    def finished(self, result: ScenarioResult) -> None:
        """A scenario has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which scenarios are to run, and how."""

    suites: tuple[str, ...] = ()
    """Only these; empty: all."""
    everyday: bool = False
    """Without the suites of the long tier. What is left out for that is collected all the same, and reported."""
    expression: str = ""
    """As pytest's `-k`."""
    keys: frozenset[str] | None = None
    """Only these; None: all."""
    workers: int | None = None
    """Scenarios at a time; None: as many as keep the cores busy."""
    stop_at_first: bool = False
    last_failed: bool = False
    shard: Shard | None = None
    model: tuple[str, ...] = ()
    """Options about the model, for pytest: `--model-examples=40` and the like."""
    file: Path | None = None
    """This file alone, which is in no suite: a drill."""

    def paths(self) -> list[Path]:
        """The files and folders that hold them."""
        return [self.file] if self.file else [scenarios_home() / suite for suite in self.suites]

    def described(self) -> str:
        """Where nothing was found, for an error."""
        return f"{self.expression!r} in {', '.join(self.suites) or 'any suite'}"


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a run has seen, as it grows."""

    scenarios: list[ScenarioResult] = field(default_factory=list)
    canaries: set[tuple[str, str]] = field(default_factory=set)
    deaths: list[Death] = field(default_factory=list)
    harness_errors: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises broken outside of any scenario: a target process died, the target did not start."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Scenarios of the long tier, in a run of the everyday one."""
    privacy: PrivacyResult = field(default_factory=PrivacyResult)
    not_applicable: list[str] = field(default_factory=list)
    """Variants that mean nothing for their vendor: neither kept nor broken, and no proof of anything."""
    timings: dict[str, float] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    """The alarms' table, as a scenario has filled it."""
    dashboard: list[dict[str, Any]] = field(default_factory=list)
    """What the target's dashboard showed when a scenario last kept its picture."""

    def ledger(self) -> Ledger:
        """Over all scenarios."""
        return sum((one.ledger for one in self.scenarios), Ledger())


class ScenarioRun:
    """Runs scenarios against one target: `collect`, `start`, `run`, `stop`."""

    def __init__(
        self,
        target: Target,
        *,
        clock: RunClock,
        seed: int,
        folder: Path,
        watcher: Watcher,
        reproduce: str,
        engine: Engine = LOCAL,
    ) -> None:
        self.findings = Findings()
        self._watcher = watcher
        self._folder = folder
        self._reproduce = reproduce
        self._abort = threading.Event()
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, str], int] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        self._runner: ScenarioRunner | None = None
        self._isolated: list[Stack] = []
        """Stacks beside the first, each for one scenario at a time that must be alone."""
        self._hunt: privacy.Hunt | None = None
        self.on_said: Callable[[str, bool], None] = _to_nobody
        """Told what a drill says as it goes on; `passing`: only where it can be written over."""
        self.person: Callable[[str], bool] | None = None
        """Asked to do something, at every look again until it says that it is done; None: golive does all of it."""
        self._began_s = time.time()  # files have the machine's own time, wherever the run's clock is
        self.durations = Durations.read(folder.parent / DURATIONS)
        self.stack = Stack(
            target,
            clock=clock,
            seed=seed,
            logs=folder / "logs",
            on_death=self._died,
            phase=watcher.phase,
            aws_faults=True,
            engine=engine,
        )
        self._instances = self._new_instances()

    def _new_instances(self) -> ClockInstances:
        operations: dict[str, Handler] = {
            "canaries": self._canaries,
            "dashboard": self._dashboard,
            "said": lambda request: self.on_said(request["words"], request["passing"]),
            "person": lambda request: self.person is not None and self.person(request["what"]),
            "by_hand": lambda _: self.person is not None,
        }
        return ClockInstances(self.stack, logs=self._folder / "logs", on_death=self._died, operations=operations)

    def _died(self, death: Death) -> None:
        with self._lock:
            self.findings.deaths.append(death)
            where = self.findings.harness_errors if death.owner == "harness" else self.findings.broken
            where.append(death.sentence())
        self._abort.set()

    # -- what there is to run ----------------------------------------------------------------------------------

    def collect(self, selection: Selection) -> None:
        """Begin to collect the scenarios of that selection, in a process of its own, beside all else that starts."""
        options = [*selection.model, f"--model-found={self._folder / 'found'}"]
        options += [f"--golive-gateways={json.dumps(self.stack.wanted.gateways)}"]
        options += ["-k", selection.expression] if selection.expression else []
        self._runner = ScenarioRunner(
            self.stack.nursery,
            socket=self.stack.folder / "run.sock",
            log=self._folder / "logs" / "scenarios.log",
            argv=pytest_argv(selection.paths(), *options),
        )

    def chosen(self, selection: Selection) -> tuple[CollectedScenario, ...]:
        """The scenarios of that selection; waits until they are collected.

        Raises:
            UsageError: there is none. HarnessError: they cannot be collected.
        """
        collected = self._collected()
        if selection.file and not collected:
            raise HarnessError(f"there is no scenario in {selection.file}")
        if not collected and not self._abort.is_set():
            raise UsageError(
                f"No scenario matches {selection.described()}. `golive list scenarios` shows what there is."
            )
        found = [one for one in collected if selection.keys is None or one.key in selection.keys]
        if selection.everyday:
            self.findings.left_out = [
                LeftOut(id=one.key, suite=one.suite, proves=_rows(one)) for one in found if one.suite in LONG_SUITES
            ]
            found = [one for one in found if one.suite not in LONG_SUITES]
        if selection.shard:
            found = [one for one in found if selection.shard.holds(one.key)]  # a part of a run may be empty
        if selection.last_failed:
            red = _last_failed(self._folder.parent)
            found = [one for one in found if one.key in red]
            if not found:
                raise UsageError("Nothing was red the last time.")
        return tuple(found)

    def _collected(self) -> tuple[CollectedScenario, ...]:
        if self._runner is None:
            raise HarnessError("nothing was collected")
        return self._runner.collected(self._abort)

    def plan(self, selection: Selection) -> tuple[Planned, ...]:
        """What all shards of that selection have to look at together.

        Raises:
            UsageError: nothing. HarnessError: the scenarios cannot be collected.
        """
        shard = selection.shard
        assert shard is not None
        return tuple(
            Planned(
                id=one.key,
                title=one.title,
                suite=one.suite,
                proves=_rows(one),
                shard=shard_of(one.key, shard.count),
            )
            for one in self._collected()
            if not (selection.everyday and one.suite in LONG_SUITES)
        )

    # -- running ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring the first stack up."""
        self.stack.start(operations=self._shared_operations())

    def _shared_operations(self) -> dict[str, Handler]:
        """What every stack of this run answers alike."""
        return {
            "canaries": self._canaries,
            "travelling": lambda _: self._instances.info("travelling"),
            "monitored": lambda _: self._instances.info("monitored"),
            "retire": lambda request: self._instances.replace(request["instance"]),
            "alarms_table": lambda _: self._alarms_table(),
        }

    def _canaries(self, request: dict[str, Any]) -> None:
        self.findings.canaries.update(map(tuple, request["canaries"]))

    def _dashboard(self, request: dict[str, Any]) -> None:
        self.findings.dashboard[:] = request["pictures"]

    def _alarms_table(self) -> dict[str, Any]:
        """Every alarm of the target's template against its own signals; it is told in the report, too."""
        wanted = self.stack.wanted
        if wanted.monitoring is None:
            return {"not_observed": monitoring.why_not(wanted)}
        rows = monitoring.Deployed(wanted.monitoring).table()
        self.findings.alarms[:] = [one.to_json() for one in rows]
        return {"rows": self.findings.alarms, "complaints": [text for one in rows for text in one.complaints()]}

    def _stacks(self) -> list[Stack]:
        return [self.stack, *self._isolated, *self._instances.stacks()]

    def run(self, selection: Selection) -> None:
        """Run the scenarios of that selection, as many at a time as keep the cores busy.

        Raises:
            UsageError: there is none. HarnessError: they cannot be run.
        """
        scenarios = self.chosen(selection)
        self._watcher.expects(
            len(scenarios), self.durations.expected_run_s(scenarios), measured=self.durations.known(scenarios)
        )
        self._watcher.phase("scenarios")
        began = time.monotonic()
        schedule = Schedule.of(scenarios, self.durations.expected_s)
        pool = self._pool(schedule, selection)
        for name in CLOCKS:
            pool.open(Place(name=name, queue=name, stack=self.stack, workers=1))
        pool.open(Place(name="shared", queue="shared", stack=self.stack, workers=len(scenarios)))
        pool.open(Place(name="alone", queue="alone", stack=self.stack, workers=1, after_shared=True))
        opening = threading.Thread(
            target=self._open_isolated,
            args=(pool, schedule, self._isolated_stacks(schedule, selection)),
            name="isolated stacks",
        )
        opening.start()
        try:
            pool.run(self._abort)
        finally:
            opening.join()
        self.findings.timings["scenarios"] = time.monotonic() - began
        if self._abort.is_set():
            pool.kill_workers()
        else:
            self._check_complete(schedule, selection)

    def _pool(self, schedule: Schedule, selection: Selection) -> ScenarioPool:
        assert self._runner is not None  # `chosen` has seen it
        capacity: Capacity = Fixed(selection.workers) if selection.workers else BusyCores(os.cpu_count() or 1)

        def finished(scenario: CollectedScenario, result: ScenarioFinished) -> None:
            self._finished(scenario, result)
            if selection.stop_at_first and result.outcome in ("failed", "error"):
                pool.stop()

        def broken(sentence: str) -> None:
            if sentence not in self.findings.broken:  # workers that ask at the same time are told the same
                self.findings.broken.append(sentence)
            self._abort.set()

        pool = ScenarioPool(
            self._runner,
            schedule,
            capacity=capacity,
            logs=self._folder / "logs",
            on_started=self._watcher.started,
            on_finished=finished,
            on_broken=broken,
        )
        return pool

    def _check_complete(self, schedule: Schedule, selection: Selection) -> None:
        """Raise a HarnessError if scenarios are left that should have run."""
        assert self._runner is not None
        if not self._runner.running():
            raise HarnessError(f"the process that runs the scenarios has ended. {self._runner.last_words()}")
        left = schedule.waiting(*schedule.queues)
        if left and not selection.stop_at_first:
            raise HarnessError(f"{left} scenarios were never begun. {self._runner.last_words()}")

    def _isolated_stacks(self, schedule: Schedule, selection: Selection) -> int:
        """How many stacks to bring up for what must be alone; the first stack serves it too, when it is not shared."""
        if no_second(self.stack.wanted) or selection.workers == 1:
            return 0
        work_s = sum(self.durations.expected_s(one) for one in schedule.queues["alone"])
        wanted = math.ceil(work_s / WORK_OF_AN_ISOLATED_STACK_S)
        if not schedule.queues["shared"] or len(schedule.queues["alone"]) == 1:
            wanted -= 1
        most = (selection.workers or (os.cpu_count() or 1) + 2) - 1
        return max(0, min(wanted, most))

    def _open_isolated(self, pool: ScenarioPool, schedule: Schedule, count: int) -> None:
        began = time.monotonic()
        for number in range(1, count + 1):
            if self._abort.is_set() or not schedule.waiting("alone"):
                return
            name = f"isolated-{number}"
            stack = Stack(
                self.stack.wanted,
                clock=self.stack.clock,
                seed=self.stack.seed,
                logs=self._folder / "logs" / name,
                on_death=self._died,
                aws_faults=True,
                engine=self.stack.engine,
            )
            self._isolated.append(stack)  # first: what goes wrong in its start is still stopped
            try:
                stack.start(operations=self._shared_operations())
            except PromiseBroken as error:
                self.findings.broken.append(f"a second instance beside the first: {error}")
                self._abort.set()
                return
            except HarnessError as error:
                self.findings.harness_errors.append(str(error))
                self._abort.set()
                return
            pool.open(Place(name=name, queue="alone", stack=stack, workers=1))
            self.findings.timings["isolated stacks up"] = time.monotonic() - began

    def _finished(self, scenario: CollectedScenario, finished: ScenarioFinished) -> None:
        red = finished.outcome in ("failed", "error")
        with self._lock:
            _remember(self._folder.parent, scenario.key, red=red)
        if finished.outcome == "skipped" and finished.message.startswith(NOT_APPLICABLE):
            with self._lock:
                self.findings.not_applicable.append(scenario.key)
            return
        proves = _rows(scenario)
        story, _, criterion = (proves[0] if proves else "").rpartition("/")
        details = finished.details
        for pixel, counted in details.counted.items():
            self._counted[(scenario.key, pixel)] = counted
            self._told[pixel] = tuple(details.told.get(pixel, ()))
        result = ScenarioResult(
            id=scenario.key,
            title=scenario.title,
            story=story,
            criterion=criterion,
            proves=proves,
            suite=scenario.suite,
            outcome=finished.outcome,
            duration_s=finished.duration_s,
            given=scenario.given,
            when=scenario.when,
            then=scenario.then,
            message=finished.message,
            blame=finished.blame,
            kept=_claimed(details.kept, scenario) if red else (),
            unreached=_unreached(details, scenario) if red else (),
            concerns=tuple(replace(one, rows=_claimed(one.rows, scenario)) for one in details.concerns),
            evidence=details.evidence,
            timeline=details.timeline,
            reproduce=f"{self._reproduce} -k '{scenario.key}'",
            ledger=details.ledger,
            wire_sha256=details.wire_sha256,
        )
        with self._lock:
            self.findings.scenarios.append(result)
        self._watcher.finished(result)

    def look_once_more(self) -> None:
        """What Meta was told after the ledgers were closed, and for pixels that are nobody's, is nobody's order.

        A ledger closes when its scenario ends; what a target sends later, or somewhere else, would be seen by nobody.
        A page view that a page told may come later.
        """
        arrivals = {
            pixel: seen
            for stack in self._stacks()
            if stack.meta_url
            for pixel, seen in MetaArrivals(stack.meta_url).by_pixel().items()
        }
        waiting = {one.id: one.ledger.held + one.ledger.dead_lettered for one in self.findings.scenarios}
        for key, counted in self._counted.items():
            scenario, pixel = key
            told = frozenset(self._told[pixel])
            late = sum(one.counted and not pages.is_told(one, told) for one in arrivals.get(pixel, ())) - counted
            # What was held when its ledger closed may go on its way later, and what was dead-lettered is redriven by
            # another scenario's redrive, which is everybody's. What had been counted stays so.
            if not 0 <= late <= waiting.get(scenario, 0):
                self.findings.broken.append(
                    f"Meta counted {late} more event{'s' if late > 1 else ''} for the tenant of {scenario} "
                    "after its ledger had been closed"
                )
        ours = {one.pixel_id for stack in self._stacks() for one in stack.tenants.values()}
        if strangers := set(arrivals) - ours:
            self.findings.broken.append(
                f"Meta was sent events for {len(strangers)} pixel{'s' if len(strangers) > 1 else ''} "
                f"of no tenant of this run, like {sorted(strangers)[0]}"
            )

    # -- after the scenarios ---------------------------------------------------------------------------------

    def hunt(self) -> None:
        """Stop the target, and search everything that it has written for the people whom the run invented.

        The database and the fakes stay up: they are looked into. Whoever needs the target alive comes before.
        """
        self._watcher.phase("hunt for personal data")
        began = time.monotonic()
        children = [stack.nursery.get(name) for stack in self._stacks() for name in stack.nursery.names("target")]
        for child in children:  # of all stacks before one is waited for: each takes its time to drain
            child.ask_to_stop()
        canaries = [privacy.Canary(kind=kind, text=text) for kind, text in sorted(self.findings.canaries)]
        secrets = _secrets(tenant for stack in self._stacks() for tenant in stack.tenants.values())
        self._hunt = privacy.Hunt([*canaries, *privacy.hashes(canaries), *secrets])
        target = self.stack.target
        found: places.Places = {}
        for child in children:
            child.ensure_stopped()
        for stack in self._stacks():
            for place, rows in _places(stack).items():
                found[place] = [*found.get(place, ()), *rows]
        if target.start:
            found |= places.files(Path.cwd(), since_s=self._began_s, but=self._folder.resolve())
        self.findings.privacy = PrivacyResult(
            canaries=len(canaries),
            places=(*found, "our reports"),
            leaks=privacy.leaks(self._hunt, found, may_hold_secrets=target.probes.may_hold_secrets),
        )
        self.findings.timings["hunt for personal data"] = time.monotonic() - began

    def hunt_reports(self) -> bool:
        """Search golive's own files; whether something was found. Then golive has failed, not the target."""
        if self._hunt is None:
            return False
        leaks = privacy.leaks(self._hunt, places.reports(self._folder))
        if leaks:
            self.findings.harness_errors.append(f"golive's own files hold personal data of the run: {'; '.join(leaks)}")
        return bool(leaks)

    def stop(self) -> None:
        """End everything; safe to call twice."""
        began = time.monotonic()
        if self._runner is not None:
            self._runner.close()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda stack: stack.stop(), self._stacks()))
        self.findings.timings = {**self.stack.timings, **self._instances.timings, **self.findings.timings}
        self.findings.timings.setdefault("shut down", time.monotonic() - began)

    def keep_durations(self, run_s: float) -> None:
        """Remember how long the scenarios of this run took, for the next one's estimate."""
        scenarios_s = self.findings.timings.get("scenarios", 0.0)
        kept = self.durations.after(self.findings.scenarios, scenarios_s=scenarios_s, run_s=run_s)
        kept.write(self._folder.parent / DURATIONS)


def _rows(scenario: CollectedScenario) -> tuple[str, ...]:
    return _claimed(scenario.proves, scenario)


def _claimed(claims: Sequence[str], scenario: CollectedScenario) -> tuple[str, ...]:
    """The rows that claims like `gateway/202` mean in that scenario."""
    return tuple(row for claim in claims for row in expand(claim, scenario.gateway))


def _unreached(details: ScenarioDetails, scenario: CollectedScenario) -> tuple[str, ...]:
    """Rows that a red scenario says nothing of: it failed in the part of other rows, before theirs."""
    if not details.failing:
        return ()
    seen = {*details.kept, *details.failing}
    return _claimed([one for one in scenario.proves if one not in seen], scenario)


def _last_failed(runs: Path) -> frozenset[str]:
    """The scenarios that were red when they ran last."""
    try:
        return frozenset(json.loads((runs / LAST_FAILED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return frozenset()


def _remember(runs: Path, key: str, *, red: bool) -> None:
    known = _last_failed(runs)
    if red is not (key in known):
        (runs / LAST_FAILED).write_text(json.dumps(sorted(known ^ {key}), indent=1) + "\n", encoding="utf-8")


def _to_nobody(_words: str, _passing: bool) -> None:
    """Nobody listens to a drill that is not one."""


def _places(stack: Stack) -> places.Places:
    """Everything that the target has written on this stack; a table is one place, whichever instance's it is."""
    target = stack.target
    found = places.logs(stack.logs)
    if target.probes.database_url:
        found |= places.tables(target.probes.database_url)
    if aws_url := target.probes.aws_url:
        named = [one for one in (target.probes.queue, target.probes.dead_letters) if one]
        found |= places.queues(aws_url, named) | places.metrics(aws_url)
    if stack.cloudwatch_url:
        found |= places.put_metrics(stack.cloudwatch_url)
    found |= places.told_to_meta(stack.meta_url, stack.tenants.values())
    if target.start:
        found |= places.files(stack.scratch, since_s=0, called="$TMPDIR/")
    return found


def _secrets(tenants: Iterable[Tenant]) -> list[privacy.Canary]:
    found = []
    for tenant in tenants:
        found += [privacy.Canary(kind="secret", text=account.secret) for account in tenant.gateways.values()]
        renewed = "EAA" + hashlib.sha256(tenant.meta_token.encode()).hexdigest()[:60]  # as MetaView.renew_token does
        found += [privacy.Canary(kind="Meta token", text=one) for one in (tenant.meta_token, renewed)]
    return found
