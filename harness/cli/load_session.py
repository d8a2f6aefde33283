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
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from harness.checks import ledger, load, load_series
from harness.checks import outage as outages
from harness.cli.load_cost import CostMeter
from harness.cli.load_outage import MetaOutage
from harness.cli.load_profile import Profile, home
from harness.cli.load_watch import LoadWatch, Readings, growth
from harness.clock import RunClock
from harness.errors import HarnessError, NotSeenInTime, PromiseBroken, UsageError
from harness.probes.database import DatabaseProbe
from harness.probes.meta import MetaArrivals
from harness.records import Conversion, Ledger, LoadCost, LoadKnee, LoadMark
from harness.stack.engine import LOCAL, Engine
from harness.stack.processes import Child, Death, tail
from harness.stack.stack import Stack
from harness.target import Target
from harness.tenants import Tenant, make_tenant
from harness.testing.dashboard import DashboardView
from harness.testing.stack_info import StackInfo
from harness.waiting import wait_until

#: A request that has no answer after this long never gets one; vendors give up sooner.
TIMEOUT_S = 30.0
#: Rendering and signing before the start: most of it is start-up.
PREPARE_S = 60.0
#: How long the generators may take beyond their schedule: the last request's time-out, and their own end.
OVERTIME_S = TIMEOUT_S + 15.0
_LOOK_S = 1.0


Made = TypeVar("Made")


FIRST_IN_LINE = "The generator had the cores first (SCHED_RR), as if on a machine of its own."


@dataclass(slots=True, kw_only=True)
class LoadFindings:
    """What a load run has seen."""

    harness_errors: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What had to be seen and could not be."""
    facts: list[str] = field(default_factory=list)
    marks: list[LoadMark] = field(default_factory=list)
    seen: load.Seen | None = None
    knee: LoadKnee | None = None
    """Of a search."""
    ledger: Ledger | None = None
    """Of a search: over all steps."""
    explanations: tuple[str, ...] = ()
    """Why the ledger does not close, where it does not."""
    readings: Readings = field(default_factory=Readings)
    cost: LoadCost | None = None
    """Of all schedules that were sent to their end."""
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One schedule that was sent to its end."""

    samples: Sequence[load.Sample]
    began_s: float
    """On the machine's clock."""
    outage_s: tuple[float, float] | None
    """When Meta was really gone, in seconds from the start."""


class Watcher(Protocol):
    """Who looks on while load runs."""

    def phase(self, name: str) -> None:
        """A new part of the run begins."""

    def so_far(self, share: float, words: str) -> None:
        """How much of the part is done, between 0 and 1."""


def first_in_line(pid: int) -> bool:
    """Let a generator have a core whenever it wants one, if the OS permits: on a machine of its own it would.

    Without that it is late itself long before the target is slow, and a run in which it is late decides nothing.
    Measured on two cores with four busy processes: woken 4.0 ms late at p99, with niceness -10 1.4 ms, so 0.1 ms.
    """
    if not hasattr(os, "sched_setscheduler"):  # macOS
        return False
    try:
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except OSError:  # not root, or no such process any more
        return False
    return True


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
        engine: Engine = LOCAL,
    ) -> None:
        self.findings = LoadFindings()
        self._profile = profile
        self._clock = clock
        self._seed = seed
        self._folder = folder
        self._processes = processes
        self._watcher = watcher
        self._abort = threading.Event()
        # Every event, and as many again that are tried twice; a search asks for more, nobody knows how much.
        kept = str(2 * profile.planned + 10_000 if profile.search is None else 500_000)
        self.stack = Stack(
            target,
            clock=clock,
            seed=seed,
            logs=folder / "logs",
            on_death=self._died,
            phase=watcher.phase,
            meta_options=("--keep-arrivals", kept, "--keep-ids", kept),
            engine=engine,
        )
        self._tenants: list[Tenant] = []
        self._generators: list[Child] = []
        self._watch: LoadWatch | None = None
        self._meter = CostMeter(self.stack.nursery, in_sight=engine.in_sight)
        self._events = 0
        self._meta = MetaArrivals("")
        self._cookies: list[str] = []
        self._waiting = (-1, 0.0)
        self._looked = 0.0

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
        self.start()
        profile = self._profile
        planned = profile.outage_s
        outage = self._outage(*planned) if planned else None
        sent = self.send(profile, self._folder, outage=outage)
        if sent is not None:
            self._write_down(sent, outage)

    def start(self) -> None:
        """Bring the stack up, with everything that the profile needs.

        Raises:
            HarnessError: ours. PromiseBroken: the target did not start.
        """
        self.stack.start()
        profile = self._profile
        names = {f"load/{number}": ("vendor", "plan")[number % 2] for number in range(profile.tenants)}
        supported = self.stack.target.gateways
        self._tenants = [
            make_tenant(self._seed, key, dialect=dialect, supported=supported) for key, dialect in names.items()
        ]
        self.stack.provision(self._tenants)
        self._meta = MetaArrivals(self.stack.meta_url)
        self._meta.set_latency(median_ms=profile.meta_median_ms, p95_ms=profile.meta_p95_ms, seed=self._seed)
        self._watch = self._look_with(breaker=profile.outage is not None)
        self._cookies = self._log_in() if profile.reads_per_s else []

    def _look_with(self, *, breaker: bool) -> LoadWatch:
        return LoadWatch(self.stack, [one.tenant for one in self._tenants], breaker=breaker)

    def _outage(self, from_s: float, until_s: float) -> MetaOutage:
        pixels = [one.pixel_id for one in self._tenants]
        return MetaOutage(
            self.stack.meta_url, pixels, from_s=from_s, until_s=until_s, seed=self._seed, abort=self._abort
        )

    def _log_in(self) -> list[str]:
        """One reader for each customer."""
        target = self.stack.target
        if target.paths.dashboard is None or "create_user" not in target.actions:
            raise UsageError("This profile reads the dashboard: name paths.dashboard and actions.create_user.")
        info = StackInfo.read(self.stack.info_path)
        found = []
        for one in self._tenants:
            view = DashboardView(info, one.tenant)
            view.create_user()
            if not view.log_in():
                raise PromiseBroken(f"a user of {one.tenant} who was just created cannot log in to the dashboard")
            found.append(view.cookies())
        return found

    @property
    def aborted(self) -> bool:
        """Whether something has died, and the run was given up."""
        return self._abort.is_set()

    def send(self, profile: Profile, folder: Path, *, first: int = 0, outage: MetaOutage | None = None) -> Sent | None:
        """Send one schedule and wait until nothing is on its way; None where the run was given up.

        `first` numbers the requests, so that several schedules of one run share no sale.

        Raises:
            HarnessError: the generators failed.
        """
        if self._watch is not None:
            self.findings.readings = self._watch.readings = Readings()
        generators = self._timed("generators ready", lambda: self._start_generators(profile, folder, first))
        self._meter.begin()
        began_s = self._timed("sending", lambda: self._send(profile, folder, generators, outage))
        if self._abort.is_set():
            return None
        texts = [(folder / f"samples-{number}.csv").read_text(encoding="utf-8") for number in range(self._processes)]
        samples = load.read(texts, planned=profile.planned)
        sent = Sent(samples=samples, began_s=began_s, outage_s=outage.finish() if outage else None)
        self._timed("drain", lambda: self._drain(profile, sent))
        self._meter.end()
        self._events += len(samples)
        self.findings.cost = self._meter.cost(self._events)
        return sent

    def _timed(self, name: str, work: Callable[[], Made]) -> Made:
        self._watcher.phase(name)
        began = time.monotonic()
        made = work()
        self.findings.timings[name] = self.findings.timings.get(name, 0.0) + time.monotonic() - began
        return made

    def _start_generators(self, profile: Profile, folder: Path, first: int) -> list[Child]:
        target = self.stack.target
        plan = {
            "base_url": target.base_url,
            "public_url": target.public_url or target.base_url,
            "webhook_path": target.paths.webhook,
            "gateways": list(target.gateways),
            "tenants": [asdict(one) for one in self._tenants],
            "seed": self._seed,
            "pieces": profile.pieces,
            "first": first,
            "storm_after": profile.storm[0] if profile.storm else 0,
            "storm_over_s": profile.storm[1] if profile.storm else 0.0,
            "reads_per_s": profile.reads_per_s,
            "dashboard_path": target.paths.dashboard or "",
            "cookies": self._cookies,
            "origin_s": int(self._clock.now_s()),
            "processes": self._processes,
            "timeout_s": TIMEOUT_S,
            "folder": str(folder),
            "pages": profile.pages,
            "page_paths": self._page_paths(),
        }
        path = self.stack.folder / "load-plan.json"  # holds secrets: it goes when the stack goes
        path.touch(mode=0o600)
        path.write_text(json.dumps(plan), encoding="utf-8")
        children = self._generators = [self._generator(path, number) for number in range(self._processes)]
        ready = [folder / f"ready-{number}" for number in range(self._processes)]
        wait_until(
            lambda: self._abort.is_set() or self._dead(children) or all(one.exists() for one in ready),
            bool,
            goal="the load generators have rendered their requests",
            within_s=PREPARE_S + profile.planned / 500,
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
            str(home() / "locustfile.py"),
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
        if first_in_line(child.pid) and FIRST_IN_LINE not in self.findings.facts:
            self.findings.facts.append(FIRST_IN_LINE)
        return child

    @staticmethod
    def _dead(children: list[Child]) -> Child | None:
        return next((one for one in children if not one.running()), None)

    def _send(self, profile: Profile, folder: Path, children: list[Child], outage: MetaOutage | None) -> float:
        """Give the start, look on until all generators have ended; when it began, on the machine's clock."""
        began_s, began = time.time(), time.monotonic()
        gate = folder / "start"
        waiting = gate.with_suffix(".new")
        waiting.write_text(repr(began_s), encoding="utf-8")
        waiting.rename(gate)  # all at once: nobody reads half a number
        if outage is not None:
            outage.start()
        give_up = began + profile.duration_s + OVERTIME_S
        while any(one.running() for one in children) and not self._abort.is_set():
            if time.monotonic() > give_up:
                raise HarnessError("the load generators did not come to an end in time; see logs/locust-*.log")
            self._look(profile, folder, time.monotonic() - began)
            self._pause(children)
        gate.unlink()
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

    def _look(self, profile: Profile, folder: Path, since_s: float) -> None:
        """Read what can be read of the target, and say how far it is."""
        self._meter.look()
        if self._watch is not None:
            self._watch.look(since_s)
        lines = sum(_lines(folder / f"samples-{number}.csv") for number in range(self._processes))
        whole_s = profile.duration_s
        said = f"{min(since_s, whole_s):.0f} of {whole_s:.0f} s, {lines} of {profile.planned} answered"
        self._watcher.so_far(min(1.0, since_s / whole_s), said)

    # -- after the last answer -----------------------------------------------------------------------------------

    def _drain(self, profile: Profile, sent: Sent) -> None:
        """Wait until nothing is on its way; what is then still missing is the ledger's to name."""
        accepted = {one.sale for one in sent.samples if one.accepted and one.is_webhook}
        told = {one.sale for one in sent.samples if one.accepted and one.is_page_event}
        # What is held for a Meta that is gone is on its way too, and the breaker has to close again.
        unfinished = ("pending", "held") if profile.outage else ("pending",)

        def missing() -> int:
            self._look_at_cost()
            if self._abort.is_set():
                return 0
            counted = [one for one in self._meta.all() if one.counted]
            waiting = accepted - {one.order_id for one in counted}
            if not waiting:
                pages = told - {one.event_id or "" for one in counted}
                return len(pages) + (self._watch is not None and not self._watch.breakers_closed())
            if not self._stands_still(len(waiting)) or (conversions := self._conversions()) is None:
                return len(waiting)
            going = {one.sale for one in conversions if one.state in unfinished}
            stored = {one.sale for one in conversions}
            return len(waiting & (going | (waiting - stored)))

        with suppress(NotSeenInTime):
            wait_until(
                missing,
                lambda found: not found,
                goal="every accepted conversion has come to its end",
                within_s=self.stack.target.timings.dispatch_s + profile.planned / 200,
                interrupted=self._abort,
            )

    def _look_at_cost(self) -> None:
        """Once a second, however often it is asked."""
        if (now := time.monotonic()) - self._looked > _LOOK_S:
            self._looked = now
            self._meter.look()

    def _stands_still(self, waiting: int) -> bool:
        """Whether as many wait as a second ago: only then is the target's database asked, which costs it time."""
        now = time.monotonic()
        if waiting != self._waiting[0]:
            self._waiting = (waiting, now)
        return now - self._waiting[1] > _LOOK_S

    def _conversions(self) -> list[Conversion] | None:
        probes = self.stack.target.probes
        if not (probes.database_url and probes.conversions):
            return None
        database = DatabaseProbe(probes.database_url, conversions=probes.conversions)
        found = [row for one in self._tenants for row in database.conversions(one.tenant) or ()]
        database.close()
        return found

    def seen_of(self, sent: Sent) -> tuple[load.Seen, tuple[str, ...]]:
        """What was observed of one schedule, and why its ledger does not close, where it does not."""
        conversions, arrivals = self._conversions(), self._meta.all()
        if self._profile.search is not None:  # what another step has sent is that one's matter
            mine = {one.sale for one in sent.samples}
            arrivals = [one for one in arrivals if one.order_id in mine]
        closing = ledger.close(load.deliveries(sent.samples, began_s=sent.began_s), arrivals, conversions)
        ends = ("suppressed", "expired", "held")
        seen = load.Seen(
            samples=sent.samples,
            counted_at_s=load.counted_at_s(arrivals, began_s=sent.began_s + self._clock.offset_s),
            ledger=closing.ledger,
            dlq_depths=self.findings.readings.dlq,
            settled=frozenset(one.sale for one in conversions or () if one.state in ends),
            matched=self._watch.matched() if self._watch else None,
        )
        return seen, closing.findings

    def close_book(self, sent: Sequence[Sent]) -> tuple[Ledger, tuple[str, ...]]:
        """The ledger over several schedules, as it stands now, and why it does not close, where it does not."""
        deliveries = [line for one in sent for line in load.deliveries(one.samples, began_s=one.began_s)]
        closing = ledger.close(deliveries, self._meta.all(), self._conversions())
        return closing.ledger, closing.findings

    def _write_down(self, sent: Sent, outage: MetaOutage | None) -> None:
        findings = self.findings
        seen, findings.explanations = self.seen_of(sent)
        findings.broken += load.page_findings(sent.samples, self._meta.all())
        findings.marks += load_series.stalls(sent.samples)
        if grown := growth(findings.readings.memory_mb):
            findings.facts.append(grown)
        if outage is not None:
            seen = self._judge_outage(sent, seen)
        findings.seen = seen

    def _judge_outage(self, sent: Sent, seen: load.Seen) -> load.Seen:
        if sent.outage_s is None:
            raise HarnessError("the run ended before the outage did, so nothing can be said of it")
        from_s, until_s = sent.outage_s
        if self._watch is not None:
            self._watch.look(time.time() - sent.began_s)  # the breaker's last word
        readings = self.findings.readings.breaker or None
        played = outages.Outage(from_s=from_s, until_s=until_s, breaker=readings)
        found = outages.judge(played, sent.samples, seen.counted_at_s, held=seen.ledger.held)
        self.findings.facts += found.facts
        self.findings.broken += found.broken
        self.findings.unknown += found.unknown
        mark = LoadMark(what="Meta gone", from_s=round(from_s, 2), until_s=round(until_s, 2), kind="fault")
        self.findings.marks.insert(0, mark)
        return replace(seen, excluded=found.excluded)

    def stop(self) -> None:
        """End everything; safe to call twice."""
        began = time.monotonic()
        for one in self._generators:
            one.kill()  # they have nothing to say goodbye to, and Locust would wait for its answers
        if self._watch is not None:
            self._watch.close()
        self.stack.stop()
        self.findings.timings = {**self.stack.timings, **self.findings.timings}
        self.findings.timings.setdefault("shut down", time.monotonic() - began)


def _lines(path: Path) -> int:
    """How many requests a generator has written down so far."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0
