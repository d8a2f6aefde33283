"""A session that stays warm: the fakes, PostgreSQL and AWS live on, and only the target is exchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken
from harness.records import ScenarioResult
from harness.runs.saboteurs import HUNT, Saboteur, Trial
from harness.runs.scenario_run import Findings, ScenarioRun, Selection
from harness.runs.schedule import Schedule
from harness.stack.fork_server import Process, popen_from
from harness.stack.processes import wait_ready
from harness.stack.stack import PART_READY_S
from harness.target import Target

#: Where broken code says that it ran; `scenarios.saboteurs` knows it by this name.
BITES = "GOLIVE_SABOTEUR_BITES"
#: How the reference's log tells of an exception that nobody had foreseen (reference_impl/web/errors.py).
_CRASH = re.compile(r"an unforeseen error: (\w+)")
_REFERENCE = ("python", "-m", "reference_impl")
_BROKEN = ("python", "-m", "scenarios.saboteurs")


class Quiet:
    """A watcher that says nothing: several runs go on side by side, and each trial is a line at its end."""

    def phase(self, name: str) -> None:
        """Nothing."""

    def expects(self, scenarios: int, seconds: float, *, measured: bool) -> None:
        """Nothing."""

    def started(self, name: str) -> None:
        """Nothing."""

    def finished(self, result: ScenarioResult) -> None:
        """Nothing."""


def sabotaged(target: Target, saboteur: Saboteur, *, bites: Path) -> Target:
    """The target with its processes and commands started by way of the saboteur.

    A command of provisioning's own stays as it is; where the operator program provisions, that is broken too.

    Raises:
        HarnessError: nothing in the target file starts the reference, so there is nothing to break.
    """
    start = {role: _broken(argv, saboteur.name) for role, argv in target.start.items()}
    if start == target.start:
        raise HarnessError("golive prove breaks the reference, and this target file does not start it.")
    actions = {
        name: argv if isinstance(argv, str) else _broken(argv, saboteur.name) for name, argv in target.actions.items()
    }
    env = {**target.env, BITES: str(bites)}
    return target.model_copy(update={"start": start, "actions": actions, "env": env})


def _broken(argv: Sequence[str], name: str) -> list[str]:
    if tuple(argv[:3]) != _REFERENCE:
        return list(argv)
    return [*_BROKEN, name, "--", *argv[3:]]


def seed_for(seed: int, name: str) -> int:
    """A saboteur's own seed, the same alone and among others: its tenants and pixels are nobody else's."""
    return zlib.crc32(f"{seed}/{name}".encode()) % 10**6


def crashes(logs: Path) -> list[str]:
    """The exceptions of a trial's target that nobody had foreseen.

    A saboteur that has rotted (the code it patches has moved on) makes everything fail, and everybody sees that.
    """
    texts = (one.read_text(encoding="utf-8", errors="replace") for one in logs.rglob("target-*.log"))
    return sorted({name for text in texts for name in _CRASH.findall(text)})


class MutationRun(ScenarioRun):
    """Tries one saboteur after the other on one stack."""

    def __init__(self, target: Target, *, seed: int, folder: Path, clock: RunClock) -> None:
        bare = target.model_copy(update={"start": {}})  # prepared, not started: each trial starts its own
        super().__init__(bare, seed=seed, folder=folder, clock=clock, watcher=Quiet(), reproduce="")
        self._seed = seed
        self._home = folder
        self._intact = target
        self._number = 0
        self._abandoned = threading.Event()
        self._warm = self.stack.folder / "warm.sock"
        self.stack.popen = self._popen
        self.collect(Selection())

    def start(self) -> None:
        """Bring the stack up, and the warm process from which broken targets are forked."""
        argv = [sys.executable, "-P", "-m", "scenarios.saboteurs", "--serve", str(self._warm)]
        log = self.stack.logs / "warm-process.log"
        warm = self.stack.nursery.start("warm process", argv, owner="harness", env=dict(os.environ), log=log)
        super().start()
        wait_ready(warm, lambda: None if self._warm.exists() else "it does not listen yet", within_s=PART_READY_S)

    def _popen(self, argv: Sequence[str], *, env: Mapping[str, str], **streams: Any) -> Process:
        """Start a process of the target: forked where it is broken, and lives in the machine's own time."""
        if tuple(argv[:3]) != _BROKEN or "LD_PRELOAD" in env:
            return subprocess.Popen(argv, env=env, **streams)
        streams = {name: streams[name] for name in ("stdin", "stdout", "stderr")}
        return popen_from(self._warm, argv[3:], env=env, **streams)

    def abandon(self) -> None:
        """End what is running now, from another thread, and begin nothing more."""
        self._abandoned.set()
        self._abort.set()

    def try_saboteur(self, saboteur: Saboteur, *, full: bool, workers: int) -> Trial:
        """Break the reference and let those look who claim to see it; never raises for what went wrong."""
        began = time.monotonic()
        bites = self._home / f"{saboteur.name}.bites"
        try:
            self._exchange(saboteur, bites=bites)
            if full or saboteur.scenarios:
                keys = None if full else frozenset(saboteur.scenarios)
                self.run(Selection(keys=keys, workers=workers))
            if (full or HUNT in saboteur.caught_by) and not self._abort.is_set():
                self._look()
        except (HarnessError, PromiseBroken) as error:
            # The target not being ready is no promise broken here: a saboteur must break a promise, not the start-up.
            self.findings.harness_errors.append(str(error))
        return self._judged(saboteur, bites, full=full, seconds=time.monotonic() - began)

    def _isolated_stacks(self, schedule: Schedule, selection: Selection) -> int:
        """None: the saboteur is in the one target that is exchanged."""
        del schedule, selection
        return 0

    def _exchange(self, saboteur: Saboteur, *, bites: Path) -> None:
        self._number += 1
        self.findings = Findings()
        self._abort.clear()
        if self._abandoned.is_set():
            self._abort.set()
            raise HarnessError("the proof was stopped")
        self._counted.clear()
        self._told.clear()
        self._instances.let_go()  # those of the saboteur before
        self._folder = self._home / saboteur.name
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        self._instances = self._new_instances()
        self.stack.exchange(
            sabotaged(self._intact, saboteur, bites=bites.resolve()),
            seed=seed_for(self._seed, saboteur.name),
            logs=self._folder / "logs",
            name=f"trial_{self._number}",
        )

    def _look(self) -> None:
        self.look_once_more()
        self.hunt()

    def _judged(self, saboteur: Saboteur, bites: Path, *, full: bool, seconds: float) -> Trial:
        found = self.findings
        ran = {one.id: one for one in found.scenarios}
        errors = [*found.harness_errors, *(one.sentence() for one in found.deaths if one.owner == "target")]
        errors += [f"{one.id}: {one.message}" for one in found.scenarios if one.outcome == "error"]
        if crashed := crashes(self._folder / "logs"):
            errors.append(f"its broken code crashed ({', '.join(crashed)}): red for that is not red for its story")
        if not full and not errors:
            errors += [f"{key} did not run" for key in saboteur.scenarios if key not in ran]
        noticed = [one for one in found.scenarios if one.outcome == "failed" or one.concerns]
        red = sorted(one.id for one in noticed)
        hunted = [*found.privacy.leaks, *(found.broken if not found.deaths else ())]
        if hunted:
            red.append(HUNT)
        said = [one.message or one.concerns[0].sentence for one in noticed]
        why = next(iter(said), str(hunted[0]) if hunted else "")
        return Trial(
            saboteur=saboteur,
            red=tuple(red),
            green=tuple(one.id for one in found.scenarios if one.outcome == "passed" and not one.concerns),
            unobserved=tuple(one.id for one in found.scenarios if one.outcome == "skipped"),
            why=why,
            errors=tuple(errors),
            bites=len(bites.read_text(encoding="utf-8").splitlines()) if bites.exists() else 0,
            seconds=seconds,
            any_will_do=full,
        )
