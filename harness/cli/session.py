"""One run of scenarios: the stack, pytest's two passes, what they found.

Scenarios run in pytest's own processes and report over the control socket. Exactly one process, this one, starts and
kills parts of the stack, notices when one dies, and leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from harness.checks import pages, privacy
from harness.clock import RunClock
from harness.errors import HarnessError, UsageError
from harness.probes import places
from harness.probes.meta import MetaArrivals
from harness.pytest_plugin import STACK_VARIABLE
from harness.readiness.rows import expand
from harness.records import Ledger, Planned, PrivacyResult, ScenarioResult, TimelineEvent
from harness.sharding import Shard, shard_of
from harness.stack import monitoring
from harness.stack.control import Handler
from harness.stack.engine import LOCAL, Engine
from harness.stack.processes import Child, Death, tail
from harness.stack.stack import Stack
from harness.stack.travelling import TravellingStack, no_second, tied_down, why_not
from harness.target import Target
from harness.tenants import Tenant
from harness.testing.answers import NOT_APPLICABLE

#: pytest's exit codes that say nothing against golive: all passed, some failed, none collected.
_PYTEST_FINE = (0, 1, 5)
_PYTEST_RED = 1
_PYTEST_STOPPED = 2
_PYTEST_NOTHING = 5
#: Instances of their own that take a spoilt one's place: each is a whole target beside the others.
MOST_RENEWALS = 2
#: Suites in which most scenarios break a part that others share.
MOSTLY_ALONE = frozenset({"recovery", "monitoring"})


class Watcher(Protocol):
    """Who looks on while a run goes: a terminal, a log, nobody."""

    def phase(self, name: str) -> None:
        """A new part of the run begins."""

    def started(self, name: str) -> None:
        """A scenario begins."""

    def finished(self, result: ScenarioResult) -> None:
        """A scenario has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which scenarios are to run, and how."""

    suites: tuple[str, ...] = ()
    expression: str = ""
    workers: int = 3
    stop_at_first: bool = False
    last_failed: bool = False
    shard: Shard | None = None
    model: tuple[str, ...] = ()
    """What pytest is told about the model: `--model-examples=40` and the like."""
    file: Path | None = None
    """This file alone, which is in no suite: a drill."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a run has seen, as it grows."""

    scenarios: list[ScenarioResult] = field(default_factory=list)
    canaries: set[tuple[str, str]] = field(default_factory=set)
    deaths: list[Death] = field(default_factory=list)
    harness_errors: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises broken outside of any scenario: a target process died, the target did not start."""
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


def scenarios_home() -> Path:
    """The folder of the scenarios, found without importing them."""
    spec = find_spec("scenarios")
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError("The package `scenarios` is not installed.")
    return Path(next(iter(spec.submodule_search_locations)))


def suites() -> tuple[str, ...]:
    """The names of all suites that have scenarios."""
    home = scenarios_home()
    return tuple(sorted(one.name for one in home.iterdir() if one.is_dir() and any(one.glob("test_*.py"))))


class Session:
    """Runs scenarios against one target."""

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
        self._told: dict[str, list[str]] = {}
        self._lanes: list[Stack] = []
        self._claims: dict[str, str] = {}
        self._red: dict[str, bool] = {}
        self._others: dict[str, TravellingStack] = {}
        """Instances whose clocks jump, by what they are for; each is started when the first scenario wants it."""
        self._others_lock = threading.Lock()
        self._failed: dict[str, Exception] = {}
        self._hunt: privacy.Hunt | None = None
        self.on_said: Callable[[str, bool], None] = _to_nobody
        """Told what a drill says as it goes on; `passing`: only where it can be written over."""
        self.person: Callable[[str], bool] | None = None
        """Asked to do something, at every look again until it says that it is done; None: golive does all of it."""
        self._began_s = time.time()  # files have the machine's own time, wherever the run's clock is
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

    def _died(self, death: Death) -> None:
        with self._lock:
            self.findings.deaths.append(death)
            where = self.findings.harness_errors if death.owner == "harness" else self.findings.broken
            where.append(death.sentence())
        self._abort.set()

    # -- running ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring the stack up."""
        self.stack.start(operations=self._shared_operations())

    def _shared_operations(self) -> dict[str, Handler]:
        """What every stack of this run answers alike."""
        return {
            "started": lambda request: self._watcher.started(request["nodeid"].rpartition("::")[2]),
            "finished": lambda request: self._finished(request["result"]),
            "canaries": self._canaries,
            "travelling": lambda _: self._travelling(),
            "monitored": lambda _: self._monitored(),
            "retire": lambda request: self._retire(request["instance"]),
            "alarms_table": lambda _: self._alarms_table(),
            "claim": self._claim,
        }

    def _claim(self, request: dict[str, Any]) -> bool:
        """Whether a scenario is that lane's to run: the first that asks has it."""
        with self._lock:
            return bool(self._claims.setdefault(request["what"], request["lane"]) == request["lane"])

    def _canaries(self, request: dict[str, Any]) -> None:
        self.findings.canaries.update(map(tuple, request["canaries"]))

    def _travelling(self) -> dict[str, str]:
        wanted = self.stack.wanted
        return self._another("travelling", TravellingStack, declared=tied_down(wanted), reason=self._stays())

    def _monitored(self) -> dict[str, str]:
        wanted = self.stack.wanted
        declared = tied_down(wanted) or monitoring.why_not(wanted)
        return self._another("monitored", monitoring.MonitoredStack, declared=declared, reason=self._stays())

    def _stays(self) -> str | None:
        """Why no instance travels on this machine, with this engine."""
        return self.stack.engine.stays or why_not(self.stack.wanted)

    def _another(
        self, name: str, make: type[TravellingStack], *, declared: str | None, reason: str | None
    ) -> dict[str, str]:
        """Where an instance of its own, whose clock jumps, is described; started when the first scenario wants it.

        `declared`: why the target's file leaves no room for one; `reason`: why there cannot be one here.
        """
        if declared or reason:
            return {"declared": declared or "", "not_observed": reason or ""}
        with self._others_lock:
            if failed := self._failed.get(name):
                raise failed
            if name not in self._others:
                began = time.monotonic()
                number = len(self._retired(name)) + 1
                logs = self._folder / "logs" / (name if number == 1 else f"{name}-{number}")
                clock, seed = self.stack.clock, self.stack.seed
                made = make(self.stack.wanted, clock=clock, seed=seed, logs=logs, on_death=self._died)
                operations = {
                    "canaries": self._canaries,
                    "dashboard": self._dashboard,
                    "said": lambda request: self.on_said(request["words"], request["passing"]),
                    "person": lambda request: self.person is not None and self.person(request["what"]),
                    "by_hand": lambda _: self.person is not None,
                }
                try:
                    made.start(operations=operations)
                except Exception as error:
                    self._failed[name] = error
                    made.stop()  # there is nothing on it to look into
                    raise
                self._others[name] = made
                took_s = self.findings.timings.get(f"{name} instance up", 0.0)
                self.findings.timings[f"{name} instance up"] = took_s + time.monotonic() - began
        return {"info": str(self._others[name].info_path)}

    def _retire(self, name: str) -> None:
        """A red scenario may have left anything behind, which others would be red for: the next one is given a new
        instance. The old one goes on as it was, for the final look and the hunt."""
        with self._others_lock:
            number = len(self._retired(name)) + 1
            if name in self._others and number <= MOST_RENEWALS:
                self._others[f"{name} {number}"] = self._others.pop(name)

    def _retired(self, name: str) -> list[str]:
        return [one for one in self._others if one.startswith(f"{name} ")]

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
        return [self.stack, *self._lanes, *self._others.values()]

    def _open_lanes(self, count: int) -> None:
        """Bring up stacks beside the first, so that what must be alone is alone on one of them, and not in the run.

        Raises:
            PromiseBroken: the target does not start a second time. HarnessError: one of our parts does not.
        """
        began = time.monotonic()
        for number in range(2, count + 1):
            lane = Stack(
                self.stack.wanted,
                clock=self.stack.clock,
                seed=self.stack.seed,
                logs=self._folder / "logs" / f"lane-{number}",
                on_death=self._died,
                aws_faults=True,
                engine=self.stack.engine,
            )
            self._lanes.append(lane)  # first: what goes wrong in its start is still stopped
            lane.start(operations=self._shared_operations())
        self.findings.timings["lanes up"] = time.monotonic() - began

    def check(self, selection: Selection) -> None:
        """Return if the selection holds a scenario; asked before anything is started, for nobody likes to wait for it.

        Raises:
            UsageError: it holds none.
        """
        if selection.shard or not (selection.expression or selection.last_failed):
            return
        argv = [*self._argv(selection, workers=0, mark=""), "--collect-only"]
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env.pop(STACK_VARIABLE, None)
        if subprocess.run(argv, capture_output=True, check=False, env=env).returncode != _PYTEST_NOTHING:
            return
        if selection.last_failed:
            raise UsageError("Nothing was red the last time.")
        raise UsageError(
            f"No scenario matches {selection.expression!r} in {', '.join(selection.suites) or 'any suite'}. "
            "`golive list scenarios` shows what there is."
        )

    def plan(self, selection: Selection) -> tuple[Planned, ...]:
        """What all shards of that selection have to look at together.

        Raises:
            HarnessError: the scenarios cannot be collected.
        """
        shard = selection.shard
        assert shard is not None
        argv = [*self._argv(replace(selection, shard=None), workers=0, mark=""), "--collect-only", "--golive-list"]
        argv += [f"--golive-gateways={json.dumps(self.stack.wanted.gateways)}"]
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env.pop(STACK_VARIABLE, None)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"key"')]
        if not told and done.returncode != _PYTEST_NOTHING:
            raise HarnessError(f"the scenarios cannot be listed: {done.stdout[-500:]}{done.stderr[-500:]}")
        if not told:
            raise UsageError(
                f"No scenario matches {selection.expression!r}. `golive list scenarios` shows what there is."
            )
        return tuple(
            Planned(
                id=one["key"],
                title=one["title"],
                suite=one["suite"],
                proves=tuple(row for claim in one["proves"] for row in expand(claim, one["gateway"])),
                shard=shard_of(one["key"], shard.count),
            )
            for one in told
        )

    def run(self, selection: Selection) -> None:
        """Both passes: what shares the stack in parallel, then what must be alone, in as many lanes as there are."""
        began = time.monotonic()
        if selection.file:  # it breaks what it likes, on an instance of its own
            found = self._results([self._start_pytest("alone", selection, mark="")], selection)
            if found == {_PYTEST_NOTHING}:
                raise HarnessError(f"there is no scenario in {selection.file}")
            return
        lanes = self._lanes_for(selection)
        parallel = self._start_pytest("parallel", selection, mark="not exclusive", workers=selection.workers)
        self._open_lanes(lanes)
        found = self._results([parallel], selection)
        self.findings.timings["scenarios in parallel"] = time.monotonic() - began
        stop = selection.stop_at_first and any(one.outcome in ("failed", "error") for one in self.findings.scenarios)
        began = time.monotonic()
        if not (self._abort.is_set() or stop):
            found |= self._alone(selection)
            self.findings.timings["scenarios alone"] = time.monotonic() - began
        if found == {_PYTEST_NOTHING} and not selection.shard:  # a part of a run may be empty
            raise UsageError(
                f"No scenario matches {selection.expression!r} in {', '.join(selection.suites) or 'any suite'}. "
                "`golive list scenarios` shows what there is."
            )

    def _lanes_for(self, selection: Selection) -> int:
        """On how many stacks at a time what must be alone runs: one where there is little of it, or no second stack."""
        picky = selection.expression or selection.last_failed or selection.stop_at_first
        many = not selection.suites or set(selection.suites) & MOSTLY_ALONE
        return 1 if picky or not many or no_second(self.stack.wanted) else selection.workers

    def _alone(self, selection: Selection) -> set[int]:
        stacks = [self.stack, *self._lanes]
        if len(stacks) == 1:
            return self._results([self._start_pytest("exclusive", selection, mark="exclusive")], selection)
        # Each lane collects all and runs what no other has taken. (xdist's groups do not work with pytest 9.2.)
        lanes = [
            self._start_pytest(
                "exclusive" if number == 1 else f"exclusive, lane {number}",
                selection,
                mark="exclusive",
                stack=stack,
                lane=str(number),
            )
            for number, stack in enumerate(stacks, start=1)
        ]
        found = self._results(lanes, selection)
        self._remember_red()
        return found

    def _start_pytest(
        self,
        name: str,
        selection: Selection,
        *,
        mark: str,
        workers: int = 0,
        stack: Stack | None = None,
        lane: str = "",
    ) -> Child:
        """Begin with a pass, or with one lane of it: then it runs what no other lane has taken."""
        if lane in ("", "1"):
            self._watcher.phase(f"scenarios, {name}")
        info_path = (stack or self.stack).info_path
        child = self.stack.nursery.start(
            f"pytest ({name})",
            self._argv(selection, workers=workers, mark=mark, lane=lane),
            owner="harness",
            env={**os.environ, STACK_VARIABLE: str(info_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            log=self._folder / "logs" / f"pytest-{name.replace(', ', '-').replace(' ', '-')}.log",
        )
        child.expected = True
        return child

    def _results(self, children: Sequence[Child], selection: Selection) -> set[int]:
        """Wait for these; their exit codes.

        Raises:
            HarnessError: one could not run its scenarios, or found something red that nobody reported.
        """
        codes = set()
        for child in children:
            while child.running() and not self._abort.is_set():
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(timeout=0.1)
            if not self._abort.is_set():
                codes.add(self._checked(child, selection))
        if self._abort.is_set():
            for child in children:
                child.kill()
            return set()
        return codes

    def _checked(self, child: Child, selection: Selection) -> int:
        code = child.process.wait()
        red = [one for one in self.findings.scenarios if one.outcome in ("failed", "error")]
        end = f"The end of {child.log}:\n{tail(child.log)}"
        if code == _PYTEST_RED and not red:
            raise HarnessError(f"pytest told of a red scenario that nobody reported. {end}")
        stopped = code == _PYTEST_STOPPED and selection.stop_at_first and red  # pytest calls that an interruption
        if code not in _PYTEST_FINE and not stopped:
            raise HarnessError(f"pytest could not run the scenarios (exit code {code}). {end}")
        return code

    def _argv(self, selection: Selection, *, workers: int, mark: str, lane: str = "") -> list[str]:
        home = scenarios_home()
        chosen = [selection.file] if selection.file else [home / suite for suite in selection.suites or suites()]
        argv = [sys.executable, "-P", "-m", "pytest", "-c", str(home / "pytest.ini"), "--rootdir", str(home)]
        argv += ["-q", "--no-header", *(["-m", mark] if mark else []), "-p", "harness.pytest_plugin"]
        if lane:
            argv += ["--golive-lane", lane, "-p", "no:cacheprovider"]  # each would forget what the others saw fail
        else:
            argv += ["-o", f"cache_dir={self._cache}"]
        if workers > 1:
            argv += ["-p", "xdist.plugin", "-n", str(workers), "--dist", "worksteal"]
        if selection.expression:
            argv += ["-k", selection.expression]
        if selection.stop_at_first:
            argv += ["-x"]
        if selection.last_failed:
            argv += ["--last-failed", "--last-failed-no-failures", "none"]
        if selection.shard:
            argv += [f"--golive-shard={selection.shard}"]
        argv += [*selection.model, f"--model-found={self._folder / 'found'}"]
        return [*argv, *map(str, chosen)]

    @property
    def _cache(self) -> Path:
        return self._folder.parent / ".pytest_cache"

    def _remember_red(self) -> None:
        """Write down for `--last-failed` what pytest's own cache does not know of the lanes."""
        path = self._cache / "v" / "cache" / "lastfailed"
        known: dict[str, bool] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for nodeid, red in self._red.items():
            known.pop(nodeid, None)
            known |= {nodeid: True} if red else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2), encoding="utf-8")

    def _finished(self, told: dict[str, Any]) -> None:
        details = told.get("details", {})
        harness_error = details.get("harness_error")
        self._red[told["nodeid"]] = told["outcome"] in ("failed", "error") or harness_error is not None
        if told["outcome"] == "skipped" and told.get("message", "").startswith(NOT_APPLICABLE):
            with self._lock:
                self.findings.not_applicable.append(told.get("key", told["nodeid"]))
            return
        proves = [row for claim in told.get("proves", ()) for row in expand(claim, told.get("gateway"))]
        story, _, criterion = (proves[0] if proves else "").rpartition("/")
        message = told.get("message", "")
        for pixel, counted in details.get("counted", {}).items():
            self._counted[(str(told.get("key", told["nodeid"])), pixel)] = counted
            self._told[pixel] = details.get("told", {}).get(pixel, [])
        if harness_error:
            told.update(outcome="error", blame="harness")
            message = f"{message} {harness_error}".strip()
        result = ScenarioResult(
            id=told.get("key", told["nodeid"]),
            title=told.get("title", ""),
            story=story,
            criterion=criterion,
            proves=tuple(proves),
            suite=told.get("suite", ""),
            outcome=told["outcome"],
            duration_s=round(told["duration_s"], 3),
            given=told.get("given", ""),
            when=told.get("when", ""),
            then=told.get("then", ""),
            message=message,
            blame=told.get("blame", ""),
            evidence=tuple(details.get("evidence", ())),
            timeline=tuple(TimelineEvent(**one) for one in details.get("timeline", ())),
            reproduce=f"{self._reproduce} -k '{told.get('key', '')}'",
            ledger=Ledger(**details.get("ledger", {})),
            wire_sha256=details.get("wire_sha256", ""),
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
        for key, counted in self._counted.items():
            scenario, pixel = key
            told = frozenset(self._told[pixel])
            late = sum(one.counted and not pages.is_told(one, told) for one in arrivals.get(pixel, ())) - counted
            if late:
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
        canaries = [privacy.Canary(kind=kind, text=text) for kind, text in sorted(self.findings.canaries)]
        secrets = _secrets(tenant for stack in self._stacks() for tenant in stack.tenants.values())
        self._hunt = privacy.Hunt([*canaries, *privacy.hashes(canaries), *secrets])
        target = self.stack.target
        found: places.Places = {}
        for stack in self._stacks():
            self._stop_target(stack)
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
        """Search what we have written ourselves; whether something was found, which is then in the findings."""
        if self._hunt is None:
            return False
        leaks = privacy.leaks(self._hunt, places.reports(self._folder))
        told = self.findings.privacy
        self.findings.privacy = PrivacyResult(
            canaries=told.canaries, places=told.places, leaks=tuple(dict.fromkeys((*told.leaks, *leaks)))
        )
        return bool(leaks)

    @staticmethod
    def _stop_target(stack: Stack) -> None:
        children = [stack.nursery.get(name) for name in stack.nursery.names("target")]
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.ensure_stopped()

    def stop(self) -> None:
        """End everything; safe to call twice."""
        began = time.monotonic()
        for stack in reversed(self._stacks()):
            stack.stop()
        self.findings.timings = {**self.stack.timings, **self.findings.timings}
        self.findings.timings.setdefault("shut down", time.monotonic() - began)


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
