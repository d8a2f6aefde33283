"""A drill: something breaks, on-call is paged, follows the runbook, and the pipeline recovers; with its times.

drill = Drill(pipeline, alarm="dlq-depth")
drill.injected("Meta refuses every purchase", until_s=…)
drill.paged(true_at_s=…)
drill.look()                                  # the runbook's `sh see`
drill.mitigate()                              # its `sh do`, from the page that on-call reads
drill.recovered(within_min=3)                 # the page resolves, and its `sh know` agrees
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import runbooks
from harness.errors import HarnessError, PromiseBroken
from harness.faults import connections
from harness.runbooks import Runbook
from harness.testing.alarms import MINUTE_S, Alarms, Each, Page
from harness.testing.answers import not_declared
from harness.testing.gateway import PlacedOrder
from harness.testing.travelling import TravellingPipeline
from harness.waiting import wait_until

_MOST_LINES = 12
#: How long a person may take for a runbook.
_PATIENCE_S = 3600
_MOST_REASON = 120


class Drill:
    """One exercise, from the fault to the recovery. Times are the pipeline's own, in seconds after the injection."""

    def __init__(self, pipeline: TravellingPipeline, *, alarm: str, **variables: str) -> None:
        """`variables`: what the runbook's reader fills in; more may be given with each step."""
        self._pipeline = pipeline
        self.alarm = alarm
        self._say("three quiet minutes: every metric is told once", passing=False)
        self.alarms = Alarms(pipeline)
        self.alarms.must_exist(alarm)
        self.runbook: Runbook = runbooks.read(Path(pipeline.info.control.call("runbook", alarm=alarm)))
        environment = (pipeline.info.target.monitoring or not_declared("no [target.monitoring]")).parameters
        self._given = {
            name: value
            for name, value in {
                "ENVIRONMENT": environment.get("Environment", ""),
                "TENANT": pipeline.tenant.tenant,
            }.items()
            if value and name in self.runbook.variables
        } | variables
        self._injected_s: float | None = None
        self._fault: dict[str, Any] = {}
        pipeline.note(
            f"The runbook is {self._shown(self.runbook.path)}; its commands were executed as they stand there."
        )

    # -- the course of it ------------------------------------------------------------------------------------

    def injected(self, what: str) -> None:
        """The fault has begun: everything is counted from here."""
        self._injected_s = self._pipeline.now_s()
        self._fault = self._tell("injected", what, kind="fault")

    def mended(self, what: str) -> None:
        """What was wrong outside of the pipeline is so no longer; the runbook goes on from there."""
        self._fault["until_s"] = self._since_s()
        self._tell("cause gone", what)

    def minutes(self, count: int, *, each: Each | None = None) -> None:
        """Live so many minutes."""
        self.alarms.minutes(count, each=self._watched(each))

    def paged(self, *, true_at_s: float, each: Each | None = None, also: Sequence[str] = ()) -> Page:
        """Live minutes until PagerDuty is told: at most five after `true_at_s`, once, and of nothing but `also`."""
        page = self.alarms.until_paged(self.alarm, true_at_s=true_at_s, each=self._watched(each))
        self._tell("condition true", f"what the alarm {self.alarm} describes is so", at_s=true_at_s)
        [first, *_] = [one for one in self.alarms.changes if (one["alarm"], one["new"]) == (self.alarm, "ALARM")]
        self._tell("detected", f"{self.alarm} is ALARM: {_short(first['reason'])}", at_s=float(first["at_s"]))
        self._tell(
            "paged",
            f"{page.title}; {(page.opened_at_s - true_at_s) / 60:.1f} min after it was true",
            at_s=page.opened_at_s,
        )
        self.alarms.nobody_is_paged(but=(self.alarm, *also))
        return page

    def look(self, **variables: str) -> str:
        """The runbook's `sh see`: what it showed."""
        return self._follow("see", "", variables)

    def mitigate(self, way: str = "", **variables: str) -> str:
        """The runbook's `sh do`; by hand, if somebody is there for it."""
        said = self._by_hand("do", way, variables) or self._follow("do", way, variables)
        if way != "nothing":
            self._fault["until_s"] = self._fault.get("until_s") or self._since_s()
        self._tell("mitigated", f"by the runbook's `sh {'do=' + way if way else 'do'}`")
        return said

    def undo(self, way: str = "", **variables: str) -> str:
        """The runbook's `sh undo`, once the cause is gone; by hand, if somebody is there for it."""
        said = self._by_hand("undo", way, variables) or self._follow("undo", way, variables)
        self._tell("undone", f"by the runbook's `sh {'undo=' + way if way else 'undo'}`")
        return said

    def recovered(self, *, within_min: int, each: Each | None = None) -> None:
        """Live minutes until the page has resolved by itself, and the runbook's `sh know` says so too.

        Raises:
            PromiseBroken: it has not, or the runbook does not see it.
        """
        page = self.alarms.until_resolved(self.alarm, within_min=within_min, each=self._watched(each))
        self._fault["until_s"] = self._fault.get("until_s") or self._since_s()
        assert page.resolved_at_s is not None
        self._tell("recovered", "PagerDuty resolved the page by itself", at_s=page.resolved_at_s)
        self._follow("know", "", {})
        self._tell("known", "the runbook's `sh know` agrees")

    def all_counted(self, orders: Sequence[PlacedOrder]) -> None:
        """Close the books: every order counted once, nothing lost and nothing doubled.

        Raises:
            PromiseBroken: otherwise.
        """
        for order in orders:
            self._pipeline.meta.wait_until_counted(order)
        ledger = self._pipeline.settle().ledger
        self._tell(
            "books closed",
            f"{len(orders)} sales: {ledger.delivered} counted, lost {ledger.lost}, doubled {ledger.doubled}",
        )

    # -- what it needs ---------------------------------------------------------------------------------------

    def breaker_opens(self, each: Each) -> float:
        """As many sales as it takes, with Meta ill already; when the breaker was open (seconds since 1970)."""
        pipeline = self._pipeline
        for number in range(1, pipeline.timings.breaker_threshold + 1):
            each(number)
            pipeline.meta.wait_for_calls(number)
        pipeline.wait_until_breaker("open")
        return pipeline.now_s()

    @contextmanager
    def connections_taken(self, *, percent: float, by: str) -> Iterator[int]:
        """Somebody takes that much of the database's connections and sits on them, for as long as the block lasts."""
        url = self._pipeline.info.target.probes.database_url
        if not url:
            not_declared("the target file names no probes.database_url")
        with connections.taken(url, percent=percent, name=by) as count:
            yield count

    def restart_command(self, role: str) -> str:
        """What stands in the place of a supervisor's `systemctl restart`: a command that starts that process again."""
        path = self._pipeline.info.control.path
        control = "from pathlib import Path; from harness.stack.control import Control"
        return f"{sys.executable} -P -c \"{control}; Control(Path({str(path)!r})).call('start', role={role!r})\""

    # -- inside ----------------------------------------------------------------------------------------------

    def _follow(self, kind: str, name: str, variables: dict[str, str]) -> str:
        part = self.runbook.part(kind, name)
        self._say(f"follows the runbook: {part.title}", passing=True)
        done = self._pipeline.info.control.call("shell", script=self.runbook.script(part, {**self._given, **variables}))
        said = str(done["said"])
        if done["code"]:
            where = f"`sh {part.title}` of {self._shown(self.runbook.path)}"
            raise PromiseBroken(f"the runbook's {where} ended with {done['code']}: {said[-800:]}")
        lines = said.strip().splitlines()
        more = f" … and {len(lines) - _MOST_LINES} more lines" if len(lines) > _MOST_LINES else ""
        self._pipeline.note(f"sh {part.title} said: {' ⏎ '.join(line.strip() for line in lines[:_MOST_LINES])}{more}")
        return said

    def _by_hand(self, kind: str, name: str, variables: dict[str, str]) -> str:
        """Let a person follow the page up to that block; nothing where nobody is there for it."""
        call = self._pipeline.info.control.call
        if not call("by_hand"):
            return ""
        part, shell = self.runbook.part(kind, name), call("on_call_shell")
        sets = "".join(f"\n      {one}={value}" for one, value in {**self._given, **variables}.items())
        what = (
            f"{self.alarm} has paged you: you are on call.\n  1. In another terminal:  {shell}\n"
            f"  2. There, follow {self._shown(self.runbook.path)} from its top, `sh {part.title}` included."
            + (f" What it asks you to set:{sets}" if sets else "")
            + "\n  3. Press Enter here as soon as you have done it. Only then do minutes pass, and the alarm can"
            + "\n     change; golive then looks itself how the page says that it worked (`sh know`)."
        )
        wait_until(
            lambda: call("person", what=what), bool, goal="a person has followed the runbook", within_s=_PATIENCE_S
        )
        self._pipeline.note(f"A person followed the runbook up to `sh {part.title}`.")
        return "by hand"

    def _watched(self, each: Each | None) -> Callable[[int], None]:
        def minute(number: int) -> None:
            state = self.alarms.states.get(self.alarm, "not evaluated yet")
            paged = len(self.alarms.pages(self.alarm))
            self._say(
                f"minute {number + 1}: {self.alarm} is {state}, {paged or 'no'} page{'s' if paged > 1 else ''}",
                passing=True,
            )
            if each is not None:
                each(number)

        return minute

    def _since_s(self, at_s: float | None = None) -> float:
        if self._injected_s is None:
            raise HarnessError("a drill tells its times from drill.injected(…) on")
        return round(max(0.0, (self._pipeline.now_s() if at_s is None else at_s) - self._injected_s), 1)

    def _tell(self, step: str, what: str, *, at_s: float | None = None, kind: str = "fact") -> dict[str, Any]:
        t_s = self._since_s(at_s)
        told = {"t_s": t_s, "kind": kind, "what": f"{step}: {what}", "until_s": None, "value": None}
        self._pipeline.timeline.append(told)
        self._pipeline.timeline.sort(key=lambda one: one["t_s"])  # when it was is sometimes known only later
        self._say(f"{clock(t_s)}  {step}: {what}", passing=False)
        return told

    def _say(self, words: str, *, passing: bool) -> None:
        self._pipeline.info.control.call("said", words=words, passing=passing)

    @staticmethod
    def _shown(path: Path) -> str:
        here = Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _short(reason: str) -> str:
    """CloudWatch's reason without thirty datapoints."""
    return reason if len(reason) <= _MOST_REASON else f"{reason[:_MOST_REASON]} …"


def clock(seconds: float) -> str:
    """Minutes and seconds, as `31:20`."""
    minutes, rest = divmod(round(seconds), MINUTE_S)
    return f"{minutes:3d}:{rest:02d}"
