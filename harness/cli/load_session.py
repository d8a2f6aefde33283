"""One load run: the stack, Locust's processes, what they left behind, and the drain after them.

The generators are children whose only output is raw samples; nothing with a database or AWS lives in them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.checks import ledger, load
from harness.cli import common
from harness.clock import RunClock
from harness.errors import HarnessError, UsageError
from harness.probes.database import DatabaseProbe
from harness.probes.meta import MetaArrivals
from harness.probes.queue import QueueProbe
from harness.records import Conversion
from harness.stack.processes import Child, Death, tail
from harness.stack.stack import Stack
from harness.target import Target
from harness.tenants import Tenant, make_tenant
from harness.waiting import wait_until

#: A request that has no answer after this long never gets one; vendors give up sooner.
TIMEOUT_S = 30.0
#: Rendering and signing before the start: most of it is start-up.
PREPARE_S = 60.0
#: How long the generators may take beyond their schedule: the last request's time-out, and their own end.
OVERTIME_S = TIMEOUT_S + 15.0
_LOOK_S = 1.0


Made = TypeVar("Made")


class Profile(BaseModel):
    """One section of `load/profiles.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    rate_per_s: float = Field(gt=0, le=20_000)
    duration_s: float = Field(gt=0, le=86_400)
    tenants: int = Field(ge=1, le=1_000)
    pages: float = Field(default=0.0, ge=0, lt=1)
    """The share of requests that pages send: page views, clicks and checkouts."""
    meta_median_ms: float
    meta_p95_ms: float

    @property
    def planned(self) -> int:
        """How many requests there will be; `load/schedule.py` counts the same."""
        return round(self.rate_per_s * self.duration_s)


@dataclass(slots=True, kw_only=True)
class LoadFindings:
    """What a load run has seen."""

    harness_errors: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seen: load.Seen | None = None
    explanations: tuple[str, ...] = ()
    """Why the ledger does not close, where it does not."""
    sending_s: float = 0.0
    timings: dict[str, float] = field(default_factory=dict)


def profiles() -> Mapping[str, Profile]:
    """Every profile by name, read without importing Locust.

    Raises:
        HarnessError: the file is not as it must be.
    """
    text = (_home() / "profiles.toml").read_text(encoding="utf-8")
    try:
        return {name: Profile.model_validate(section) for name, section in tomllib.loads(text).items()}
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise HarnessError(f"load/profiles.toml cannot be used: {error}") from None


def profile_named(name: str, *, rate_per_s: float | None, duration_s: float | None) -> Profile:
    """The profile, with what the command line changes of it.

    Raises:
        UsageError: no such profile, or a number that makes no sense.
    """
    known = profiles()
    if name not in known:
        listed = "; ".join(f"{one}: {profile.title}" for one, profile in known.items())
        raise UsageError(f"There is no load profile {name!r}.{common.nearest(name, known)} There are: {listed}.")
    changes = {"rate_per_s": rate_per_s, "duration_s": duration_s}
    asked = {**known[name].model_dump(), **{key: value for key, value in changes.items() if value is not None}}
    try:
        profile = Profile.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"--{str(first['loc'][0]).removesuffix('_per_s').removesuffix('_s')}: {first['msg']}"
        ) from None
    if not profile.planned:
        raise UsageError("That rate and duration make less than one request.")
    return profile


def _home() -> Path:
    spec = find_spec("load")
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError("The package `load` is not installed.")
    if find_spec("locust") is None:
        raise UsageError("Load needs Locust: install golive[load].")
    return Path(next(iter(spec.submodule_search_locations)))


class Watcher(Protocol):
    """Who looks on while load runs."""

    def phase(self, name: str) -> None:
        """A new part of the run begins."""

    def so_far(self, share: float, words: str) -> None:
        """How much of the part is done, between 0 and 1."""


class LoadSession:
    """Runs one profile against one target."""

    def __init__(
        self,
        target: Target,
        profile: Profile,
        *,
        clock: RunClock,
        seed: int,
        folder: Path,
        processes: int,
        watcher: Watcher,
    ) -> None:
        self.findings = LoadFindings()
        self._profile = profile
        self._clock = clock
        self._seed = seed
        self._folder = folder
        self._processes = processes
        self._watcher = watcher
        self._abort = threading.Event()
        kept = str(2 * profile.planned + 10_000)  # every event, and as many again that are tried twice
        self.stack = Stack(
            target,
            clock=clock,
            seed=seed,
            logs=folder / "logs",
            on_death=self._died,
            phase=watcher.phase,
            meta_options=("--keep-arrivals", kept, "--keep-ids", kept),
        )
        self._tenants: list[Tenant] = []
        self._depths: list[int] = []
        self._generators: list[Child] = []
        self._dead_letters: QueueProbe | None = None

    def _died(self, death: Death) -> None:
        where = self.findings.harness_errors if death.owner == "harness" else self.findings.broken
        where.append(death.sentence())
        self._abort.set()

    # -- the run -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Bring the stack up, send everything when it is due, wait until it has arrived, and write down what was seen.

        Raises:
            HarnessError: ours. PromiseBroken: the target did not start. What died is in the findings.
        """
        self.stack.start()
        profile = self._profile
        names = {f"load/{number}": ("vendor", "plan")[number % 2] for number in range(profile.tenants)}
        supported = self.stack.target.gateways
        self._tenants = [
            make_tenant(self._seed, key, dialect=dialect, supported=supported) for key, dialect in names.items()
        ]
        self.stack.provision(self._tenants)
        meta = MetaArrivals(self.stack.meta_url)
        meta.set_latency(median_ms=profile.meta_median_ms, p95_ms=profile.meta_p95_ms, seed=self._seed)
        probes = self.stack.target.probes
        if probes.dead_letters and probes.aws_url:
            self._dead_letters = QueueProbe(probes.aws_url, probes.dead_letters)
        generators = self._timed("generators ready", self._start_generators)
        began_s = self._timed("sending", lambda: self._send(generators))
        if self._abort.is_set():
            return
        texts = [self._samples(number).read_text(encoding="utf-8") for number in range(self._processes)]
        samples = load.read(texts, planned=profile.planned)
        self._timed("drain", lambda: self._drain(samples, meta))
        self._write_down(samples, meta, began_s)

    def _timed(self, name: str, work: Callable[[], Made]) -> Made:
        self._watcher.phase(name)
        began = time.monotonic()
        made = work()
        self.findings.timings[name] = time.monotonic() - began
        return made

    def _samples(self, number: int) -> Path:
        return self._folder / f"samples-{number}.csv"

    def _start_generators(self) -> list[Child]:
        target = self.stack.target
        plan = {
            "base_url": target.base_url,
            "public_url": target.public_url or target.base_url,
            "webhook_path": target.paths.webhook,
            "gateways": list(target.gateways),
            "tenants": [asdict(one) for one in self._tenants],
            "seed": self._seed,
            "rate_per_s": self._profile.rate_per_s,
            "duration_s": self._profile.duration_s,
            "origin_s": int(self._clock.now_s()),
            "processes": self._processes,
            "timeout_s": TIMEOUT_S,
            "folder": str(self._folder),
            "pages": self._profile.pages,
            "page_paths": self._page_paths(),
        }
        path = self.stack.folder / "load-plan.json"  # holds secrets: it goes when the stack goes
        path.touch(mode=0o600)
        path.write_text(json.dumps(plan), encoding="utf-8")
        children = self._generators = [self._generator(path, number) for number in range(self._processes)]
        ready = [self._folder / f"ready-{number}" for number in range(self._processes)]
        wait_until(
            lambda: self._abort.is_set() or self._dead(children) or all(one.exists() for one in ready),
            bool,
            goal="the load generators have rendered their requests",
            within_s=PREPARE_S + self._profile.planned / 500,
        )
        if dead := self._dead(children):
            raise HarnessError(f"{dead.name} ended before it began. The end of {dead.log}:\n{tail(dead.log)}")
        for one in ready:
            one.unlink()
        return children

    def _page_paths(self) -> Mapping[str, str]:
        paths = self.stack.target.paths
        known = {"pageview": paths.pageview, "click": paths.click, "checkout": paths.checkout}
        if self._profile.pages and not all(known.values()):
            raise UsageError("This profile sends what pages tell: the target file must name click, pageview, checkout.")
        return {kind: path for kind, path in known.items() if path}

    def _generator(self, plan: Path, number: int) -> Child:
        argv = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(_home() / "locustfile.py"),
            "--headless",
            "-u",
            "1",
            "-r",
            "1",
        ]
        argv += ["--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0", "--stop-timeout", "60"]
        env = {**os.environ, "GOLIVE_LOAD_PLAN": str(plan), "GOLIVE_LOAD_NUMBER": str(number)}
        log = self._folder / "logs" / f"locust-{number}.log"
        child = self.stack.nursery.start(f"load generator {number}", argv, owner="harness", env=env, log=log)
        child.expected = True  # it ends by itself; how, is looked at
        return child

    @staticmethod
    def _dead(children: list[Child]) -> Child | None:
        return next((one for one in children if not one.running()), None)

    def _send(self, children: list[Child]) -> float:
        """Give the start, look on until all generators have ended; when it began, on the machine's clock."""
        began_s, began = time.time(), time.monotonic()
        gate = self._folder / "start"
        waiting = gate.with_suffix(".new")
        waiting.write_text(repr(began_s), encoding="utf-8")
        waiting.rename(gate)  # all at once: nobody reads half a number
        give_up = began + self._profile.duration_s + OVERTIME_S
        while any(one.running() for one in children) and not self._abort.is_set():
            if time.monotonic() > give_up:
                raise HarnessError("the load generators did not come to an end in time; see logs/locust-*.log")
            self._look(time.monotonic() - began)
            self._pause(children)
        gate.unlink()
        self.findings.sending_s = time.monotonic() - began
        failed = [one for one in children if not one.running() and one.process.returncode]
        if failed:
            raise HarnessError(f"{failed[0].name} failed. The end of {failed[0].log}:\n{tail(failed[0].log)}")
        return began_s

    @staticmethod
    def _pause(children: list[Child]) -> None:
        """Until a generator ends, or it is time to look again."""
        running = next((one for one in children if one.running()), None)
        if running is not None:
            try:
                running.process.wait(timeout=_LOOK_S)
            except subprocess.TimeoutExpired:
                return

    def _look(self, since_s: float) -> None:
        """Read the dead-letter queue's depth, and say how far it is."""
        if self._dead_letters is not None:
            self._depths.append(self._dead_letters.depth())
        lines = sum(_lines(self._samples(number)) for number in range(self._processes))
        whole_s = self._profile.duration_s
        said = f"{min(since_s, whole_s):.0f} of {whole_s:.0f} s, {lines} of {self._profile.planned} answered"
        self._watcher.so_far(min(1.0, since_s / whole_s), said)

    # -- after the last answer -----------------------------------------------------------------------------------

    def _drain(self, samples: list[load.Sample], meta: MetaArrivals) -> None:
        """Wait until nothing is on its way; what is then still missing is the ledger's to name."""
        accepted = {one.sale for one in samples if one.accepted and one.is_webhook}
        told = {one.sale for one in samples if one.accepted and one.is_page_event}

        def missing() -> set[str]:
            counted = [one for one in meta.all() if one.counted]
            waiting = accepted - {one.order_id for one in counted}
            if self._abort.is_set():
                return set()
            if not waiting:
                return told - {one.event_id or "" for one in counted}
            conversions = self._conversions()
            if conversions is None:
                return waiting
            pending = {one.sale for one in conversions if one.state == "pending"}
            stored = {one.sale for one in conversions}
            return waiting & (pending | (waiting - stored))

        try:
            wait_until(
                missing,
                lambda found: not found,
                goal="every accepted conversion has come to its end",
                within_s=self.stack.target.timings.dispatch_s + self._profile.planned / 200,
                interrupted=self._abort,
            )
        except HarnessError:
            return

    def _conversions(self) -> list[Conversion] | None:
        probes = self.stack.target.probes
        if not (probes.database_url and probes.conversions):
            return None
        database = DatabaseProbe(probes.database_url, conversions=probes.conversions)
        found = [row for one in self._tenants for row in database.conversions(one.tenant) or ()]
        database.close()
        return found

    def _write_down(self, samples: list[load.Sample], meta: MetaArrivals, began_s: float) -> None:
        arrivals, conversions = meta.all(), self._conversions()
        closing = ledger.close(load.deliveries(samples, began_s=began_s), arrivals, conversions)
        ends = ("suppressed", "expired", "held")
        self.findings.explanations = closing.findings
        self.findings.broken += load.page_findings(samples, arrivals)
        self.findings.seen = load.Seen(
            samples=samples,
            counted_at_s=load.counted_at_s(arrivals, began_s=began_s + self._clock.offset_s),
            ledger=closing.ledger,
            dlq_depths=self._depths,
            settled=frozenset(one.sale for one in conversions or () if one.state in ends),
        )

    def stop(self) -> None:
        """End everything; safe to call twice."""
        began = time.monotonic()
        for one in self._generators:
            one.kill()  # they have nothing to say goodbye to, and Locust would wait for its answers
        self.stack.stop()
        self.findings.timings = {**self.stack.timings, **self.findings.timings}
        self.findings.timings.setdefault("shut down", time.monotonic() - began)


def _lines(path: Path) -> int:
    """How many requests a generator has written down so far."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0
