"""Runs an experiment against the target, and judges it by what the experiment expects."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, PromiseBroken
from harness.faults.base import InPlace, NothingToBreak, Reach
from harness.faults.experiment import Experiment, TimedFault, load, seen_in_order
from harness.faults.meta import MetaFault
from harness.testing.answers import must_accept, not_declared
from harness.waiting import wait_until

if TYPE_CHECKING:
    from harness.testing.pipeline import Pipeline
    from harness.testing.traffic import Traffic

#: Between two looks at backlog and breaker; short against a breaker's wait, long against what a look costs.
_LOOK_EVERY_S = 0.1
_REDELIVERIES = 5


def experiments(folder: Path) -> list[Path]:
    """Every experiment's file of a folder, by name."""
    return sorted(folder.glob("*.toml"))


def run_experiment(pipeline: Pipeline, path: Path) -> None:
    """Sell, break, heal, and wait for the recovery; everything that happened lands on the scenario's timeline.

    Raises:
        PromiseBroken: an expectation of the file was not met. UsageError: the file cannot be used.
    """
    experiment = load(path)
    _Run(pipeline, experiment).run()


class _Run:
    def __init__(self, pipeline: Pipeline, experiment: Experiment) -> None:
        self._pipeline = pipeline
        self._experiment = experiment
        self._placed: dict[int, InPlace] = {}
        self._drawn: dict[int, dict[str, Any]] = {}
        self._pause = threading.Event()
        self._began_s = 0.0
        self._breaker: list[str] = []
        self._worst = 0
        self._last_backlog: int | None = None

    # -- the course of it ------------------------------------------------------------------------------------

    def run(self) -> None:
        pipeline, wanted = self._pipeline, self._experiment
        pipeline.note(f"experiment: {wanted.title}")
        if wanted.story:
            pipeline.note(wanted.story)
        if wanted.compress > 1:
            pipeline.note(f"time is compressed: one second of the run is {wanted.compress:g} s of the story")
        if wanted.expect.breaker and pipeline.info.target.probes.breaker is None:
            not_declared("the target file gives no probes.breaker query")
        pipeline.database.conversions()  # without it nobody sees the backlog: then it is not observed
        gateway = pipeline.gateway(like=wanted.steady.gateway)
        with ExitStack() as whatever_happens:
            whatever_happens.callback(self._end_all)
            with pipeline.traffic(per_s=wanted.steady.sales_per_s, gateway=gateway) as traffic:
                self._began_s = time.monotonic()
                self._fact(f"sales begin, {wanted.steady.sales_per_s:g} a second")
                for at_s, what, fault in wanted.moments():
                    self._watch_until(at_s)
                    self._begin(fault) if what == "begin" else self._end(fault)
                self._watch_until(wanted.run_s)
        healed_s = wanted.last_end_s / wanted.compress
        self._fact("sales end")
        self._redeliver(traffic)
        self._recover(healed_s)
        self._judge(traffic)

    def _reach(self) -> Reach:
        return self._pipeline.reach(wait_ready=False)

    def _begin(self, timed: TimedFault) -> None:
        try:
            self._placed[id(timed)] = InPlace(timed.fault.begin(self._reach()))
        except NothingToBreak as error:
            not_declared(f"{error}, so it cannot break it")
        until_s = self._now_s() + timed.lasts_s / self._experiment.compress
        self._drawn[id(timed)] = self._tell(kind="fault", what=timed.sentence(), until_s=until_s)

    def _end(self, timed: TimedFault) -> None:
        placed = self._placed.pop(id(timed))
        placed.end()
        # The fake Meta takes all faults off a pixel at once: what still lasts is armed anew.
        if isinstance(timed.fault, MetaFault):
            for other in self._experiment.fault:
                if id(other) in self._placed and isinstance(other.fault, MetaFault):
                    other.fault.arm(self._pipeline.meta)
        self._drawn[id(timed)]["until_s"] = round(self._now_s(), 2)  # as it was, no longer as it was planned
        times = "" if placed.struck is None else f" after {placed.struck} strikes"
        self._fact(f"{timed.name} ends{times}")

    def _end_all(self) -> None:
        for placed in reversed(self._placed.values()):
            placed.end()
        self._placed.clear()

    def _watch_until(self, at_s: float) -> None:
        """Look at backlog and breaker until that moment of the run has come."""
        while (left_s := at_s - self._now_s()) > 0:
            self._look()
            self._pause.wait(min(_LOOK_EVERY_S, max(0.0, left_s)))

    def _redeliver(self, traffic: Traffic) -> None:
        """Vendors send again what was not accepted."""
        refused = traffic.refused()
        if not refused:
            return
        ready = self._pipeline.info.target.paths.ready
        wait_until(
            lambda: self._pipeline.target.request("GET", ready).status,
            lambda status: status == 200,
            goal="the target ready again after the last fault",
            within_s=self._pipeline.timings.start_s,
        )
        for order in refused:
            for _ in range(_REDELIVERIES):
                if (answer := order.deliver()).accepted:
                    break
            must_accept(answer, f"after the last fault sale {order.sale_id} must be accepted")
        self._fact(f"{len(refused)} sale{'s' if len(refused) > 1 else ''} delivered again")

    def _recover(self, healed_s: float) -> None:
        limit_s = self._experiment.expect.recovers_within_s
        left_s = max(0.0, healed_s + limit_s - self._now_s())
        wait_until(
            self._look,
            lambda backlog: backlog == 0,
            goal=f"no sale waits any more, {limit_s:g} s after the last fault",
            within_s=left_s,
        )
        wanted = self._experiment.expect.breaker
        if wanted and wanted[-1] == "closed":
            wait_until(
                self._look_at_breaker, lambda seen: seen == "closed", goal="the breaker closed again", within_s=limit_s
            )
        self._fact("recovered: nothing waits any more")

    def _judge(self, traffic: Traffic) -> None:
        expect, pipeline = self._experiment.expect, self._pipeline
        if expect.accepted == "at_once" and (refused := traffic.not_accepted()):
            raise PromiseBroken(f"{len(refused)} of {len(traffic.orders)} sales were not accepted: {refused[0]}")
        if not seen_in_order(expect.breaker, self._breaker):
            seen = " → ".join(self._breaker) or "nothing"
            raise PromiseBroken(f"the breaker was to go {' → '.join(expect.breaker)}; it went {seen}")
        dead = sum(one.state == "dead_lettered" for one in pipeline.database.conversions())
        if dead:  # before the backlog is judged: what was given up does not wait, and that is no fault of the faults
            raise PromiseBroken(f"{dead} of {len(traffic.orders)} sales were given up, and every fault has ended")
        if self._worst < expect.backlog_at_least:
            raise HarnessError(
                f"at the worst moment {self._worst} sales waited, and {expect.backlog_at_least} should have: "
                "the faults did not bite"
            )
        if expect.backlog_at_most is not None and self._worst > expect.backlog_at_most:
            raise PromiseBroken(f"at the worst moment {self._worst} sales waited, of at most {expect.backlog_at_most}")
        pipeline.settle()
        pipeline.note(
            f"{len(traffic.orders)} sales, each counted once; {len(traffic.refused())} were delivered again; "
            f"at the worst moment {self._worst} waited"
        )

    # -- what is seen ----------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _look(self) -> int | None:
        """How many accepted sales wait; None while the database cannot be asked."""
        self._look_at_breaker()
        try:
            stored = self._pipeline.database.conversions()
        except HarnessError:  # it is what the experiment has taken away
            return None
        backlog = sum(one.state in ("pending", "held") for one in stored)
        self._worst = max(self._worst, backlog)
        if backlog != self._last_backlog:
            self._last_backlog = backlog
            self._tell(kind="backlog", what=f"{backlog} sales wait", value=backlog)
        return backlog

    def _look_at_breaker(self) -> str | None:
        if self._pipeline.info.target.probes.breaker is None:
            return None
        try:
            state = self._pipeline.breaker()
        except HarnessError:
            return None
        if state is not None and (not self._breaker or self._breaker[-1] != state):
            self._breaker.append(state)
            self._fact(f"breaker {state.replace('_', ' ')}")
        return state

    def _fact(self, what: str) -> None:
        self._tell(kind="fact", what=what)

    def _tell(self, *, kind: str, what: str, until_s: float | None = None, value: int | None = None) -> dict[str, Any]:
        told = {
            "t_s": round(max(0.0, self._now_s()), 2),
            "kind": kind,
            "what": what,
            "until_s": None if until_s is None else round(until_s, 2),
            "value": value,
        }
        self._pipeline.timeline.append(told)
        return told
