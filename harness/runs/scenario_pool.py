"""Keeps the cores busy with scenarios: starts workers on the stacks that are up, until nothing is left to run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from harness.errors import PromiseBroken
from harness.runs.scenario_runner import ScenarioRunner
from harness.runs.schedule import QueueName, Schedule
from harness.scenario_events import CollectedScenario, ScenarioFinished, read
from harness.stack.processes import how_it_ended, tail
from harness.stack.stack import Stack
from harness.tenants import Tenant, tenants_of

#: How often it is looked whether another worker is wanted.
_LOOK_EVERY_S = 0.4


class Capacity(Protocol):
    """How many workers may be at work."""

    def limit(self, active: int) -> int:
        """The most at this moment, where so many are at work."""


class Fixed:
    """A number that was asked for."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def limit(self, active: int) -> int:
        """That number."""
        del active
        return self._workers


class BusyCores:
    """One worker more whenever all that are allowed are at work and the cores are not busy.

    Scenarios wait much and compute little, so how many keep the cores busy differs from machine to machine and from
    target to target: it is measured.
    """

    FIRST_PER_CORE = 2
    MOST_PER_CORE = 8
    BUSY_PERCENT = 92.0

    def __init__(self, cores: int, busy_percent: Callable[[], float] = psutil.cpu_percent) -> None:
        self._busy_percent = busy_percent
        self._limit = self.FIRST_PER_CORE * cores
        self._most = self.MOST_PER_CORE * cores
        self._busy_percent()  # the first answer is about nothing

    def limit(self, active: int) -> int:
        """The most at this moment; asked at each look."""
        if active >= self._limit < self._most and self._busy_percent() < self.BUSY_PERCENT:
            self._limit += 1
        return self._limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stack on which the scenarios of one queue may run."""

    name: str
    """Its workers' names begin with it."""
    queue: QueueName
    stack: Stack
    workers: int
    """The most at a time."""
    after_shared: bool = False
    """Whether the scenarios that share this stack come first: it is the first one."""


class ScenarioPool:
    """Runs a schedule. `open` may be called at any time, from any thread."""

    def __init__(
        self,
        runner: ScenarioRunner,
        schedule: Schedule,
        *,
        capacity: Capacity,
        logs: Path,
        on_started: Callable[[str], None],
        on_finished: Callable[[CollectedScenario, ScenarioFinished], None],
        on_broken: Callable[[str], None],
    ) -> None:
        """Take the runner over.

        Args:
            runner: Has collected what the schedule holds.
            schedule: What is to run.
            capacity: How many workers may be at work.
            logs: The folder for the logs of workers.
            on_started: Called with a scenario's key when it begins.
            on_finished: Called with each scenario that has ended.
            on_broken: Called with a sentence where the target cannot be given its tenants: nothing more can run.
        """
        self._runner = runner
        self._schedule = schedule
        self._capacity = capacity
        self._logs = logs
        self._on_started = on_started
        self._on_finished = on_finished
        self._on_broken = on_broken
        self._places: list[Place] = []
        self._active: dict[str, Place] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        runner.listen(
            {
                "claim": self._claim,
                "started": lambda request: self._on_started(request["key"]),
                "finished": self._finished,
                "worker_ended": self._worker_ended,
            }
        )

    def open(self, place: Place) -> None:
        """From now on workers may be started there. Places that were opened first are served first."""
        with self._changed:
            self._places.append(place)
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin no other scenario; those at work go on to their end."""
        with self._changed:
            self._schedule.clear()

    def run(self, aborted: threading.Event) -> None:
        """Return when nothing is left that can run, or when the run is aborted."""
        with self._changed:
            while not aborted.is_set() and self._runner.running():
                self._start_workers()
                if not self._active:
                    return
                self._changed.wait(_LOOK_EVERY_S)

    def kill_workers(self, within_s: float = 10.0) -> None:
        """End all workers at once, and return when they have ended, or after that time."""
        never_forked = self._runner.kill_workers()
        with self._changed:
            for worker in never_forked:
                del self._active[worker]
            self._schedule.at_work.clear()  # what is ended by us says nothing
            self._changed.wait_for(lambda: not self._active, timeout=within_s)

    def _start_workers(self) -> None:
        room = self._capacity.limit(len(self._active)) - len(self._active)
        for place in self._places:
            for _ in range(min(room, self._wanted(place))):
                worker = f"{place.name}-{next(self._numbers)}"
                self._active[worker] = place
                self._runner.fork(worker, info=place.stack.info_path, log=self._logs / f"worker-{worker}.log")
                room -= 1

    def _wanted(self, place: Place) -> int:
        """How many workers more the place can use."""
        here = sum(one is place for one in self._active.values())
        if place.after_shared and self._sharing():
            return 0
        return min(place.workers, here + self._schedule.waiting(place.queue)) - here

    def _sharing(self) -> bool:
        return bool(self._schedule.waiting("shared")) or any(one.queue == "shared" for one in self._active.values())

    def _claim(self, request: dict[str, Any]) -> dict[str, str] | None:
        worker = request["worker"]
        with self._changed:
            place = self._active[worker]
            scenario = self._schedule.claim(place.queue, worker)
            ahead = list(self._schedule.queues[place.queue])
        if scenario is None:
            return None
        try:
            _provision(place.stack, scenario, ahead)
        except PromiseBroken as error:
            with self._changed:
                self._schedule.ended(worker)
                self._schedule.clear()
            self._on_broken(str(error))
            return None
        return {"key": scenario.key}

    def _finished(self, request: dict[str, Any]) -> None:
        with self._changed:
            scenario = self._schedule.ended(request["worker"])
        if scenario is not None:
            self._on_finished(scenario, read(ScenarioFinished, request["result"]))

    def _worker_ended(self, request: dict[str, Any]) -> None:
        worker = request["worker"]
        with self._changed:
            scenario = self._schedule.ended(worker)
        if scenario is not None:
            log = self._logs / f"worker-{worker}.log"
            message = f"the process that ran it {how_it_ended(request['exit_code'])}. The end of {log}:\n{tail(log)}"
            died = ScenarioFinished(key=scenario.key, outcome="error", duration_s=0, blame="harness", message=message)
            self._on_finished(scenario, died)
        with self._changed:  # last, for the pool has run when nothing is active
            del self._active[worker]
            self._changed.notify_all()


def _provision(stack: Stack, scenario: CollectedScenario, ahead: list[CollectedScenario]) -> None:
    """Make the scenario's tenants. A command takes as long for many as for few: then those that follow, too."""
    if scenario.instance:  # on an instance with a clock of its own, tenants are made when it is there
        return
    wanted = _tenants(stack, scenario)
    if all(one.tenant in stack.tenants for one in wanted):
        return
    if isinstance(stack.target.tenants.provision, list):
        wanted += [tenant for one in ahead for tenant in _tenants(stack, one)]
    stack.provision(wanted)


def _tenants(stack: Stack, scenario: CollectedScenario) -> list[Tenant]:
    supported = stack.target.gateways
    return tenants_of(stack.seed, scenario.key, count=scenario.tenants, dialect=scenario.dialect, supported=supported)
