"""The target's alarms, lived minute by minute: what a scenario says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.clock import SHORTEST_JUMP_S
from harness.errors import PromiseBroken
from harness.testing.answers import not_declared, not_observable
from harness.testing.travelling import TravellingPipeline

MINUTE_S = 60
PLAN_LIMIT_S = 300
"""On-call is alerted within 5 min of the moment when the written condition is true."""

Each = Callable[[int], None]
"""What happens in a minute, told its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One incident at PagerDuty; times are seconds since 1970, by PagerDuty's own clock."""

    alarm: str
    title: str
    opened_at_s: float
    resolved_at_s: float | None
    triggers: int
    """How often it was told; the first time paged."""


class Alarms:
    """The alarms of a `monitored_pipeline`, from the present on: as if they had just been deployed.

    Every minute is lived: the target's processes run, publish it, and only then its alarms are evaluated, by the rules
    of CloudWatch. What they say goes through signed SNS to a PagerDuty, and what PagerDuty says is believed.
    """

    def __init__(self, pipeline: TravellingPipeline, *, settle_min: int = 3) -> None:
        """`settle_min`: minutes that pass first, so that every metric has been told once."""
        self._pipeline = pipeline
        self._silent: list[str] = []
        self.minute = 0
        """How many have been lived."""
        self.states: dict[str, str] = {}
        self.changes: list[dict[str, Any]] = []
        """Every change of an alarm's state so far: `alarm`, `at_s`, `old`, `new`, `reason`."""
        told = pipeline.info.control.call("alarms_begin")
        self.names: tuple[str, ...] = tuple(told["alarms"])
        self.reads: list[dict[str, Any]] = told["reads"]
        """Every metric that the template's alarms and dashboards read: namespace, name, dimensions."""
        self._next_s = int(told["next_s"])
        self.began_s = self._next_s
        self.minutes(settle_min)
        self.nobody_is_paged()

    # -- time ------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> int:
        """The last evaluation, in seconds since 1970."""
        return self._next_s - MINUTE_S

    def minutes(self, count: int, *, each: Each | None = None) -> None:
        """Live so many minutes."""
        for _ in range(count):
            self._one(each)

    def _one(self, each: Each | None) -> None:
        if each is not None:
            each(self.minute)
        # Somebody has taken their time: a minute that ends too soon to jump to is lived together with the next.
        while self._next_s < self._pipeline.now_s() + SHORTEST_JUMP_S:
            self._next_s += MINUTE_S
        self._pipeline.travel_to(self._next_s, quietly=True)
        told = self._pipeline.info.control.call("alarms_minute", silent=self._silent)
        self.states = dict(told["states"])
        self.changes += told["changes"]
        self._next_s += MINUTE_S
        self.minute += 1

    # -- pages -----------------------------------------------------------------------------------------------

    def pages(self, alarm: str | None = None) -> list[Page]:
        """What PagerDuty has, oldest first; of one alarm, if one is named."""
        known = {"alarm", "title", "opened_at_s", "resolved_at_s", "triggers"}
        found = [
            Page(**{key: value for key, value in one.items() if key in known})
            for one in self._pipeline.info.control.call("alarms_pages")
        ]
        return [one for one in found if alarm in (None, one.alarm)]

    def nobody_is_paged(self, *, but: tuple[str, ...] = ()) -> None:
        """A broken promise if anybody was, but for these alarms."""
        if wrong := [one for one in self.pages() if one.alarm not in but]:
            names = ", ".join(sorted({one.alarm for one in wrong}))
            raise PromiseBroken(f"nobody should have been paged but for {', '.join(but) or 'nothing'}; {names} paged")

    def must_exist(self, *names: str) -> None:
        """End the scenario as not observed where the target has no such alarm."""
        for name in names:
            if name not in self.names:
                not_observable(f"the target's template has no alarm {name}")

    def until_paged(self, alarm: str, *, true_at_s: float, each: Each | None = None) -> Page:
        """Live minutes until this alarm pages: at most five after `true_at_s`, when its condition has become true.

        Raises:
            PromiseBroken: it does not, or not once.
        """
        while not (found := self.pages(alarm)):
            if self._next_s - MINUTE_S > true_at_s + PLAN_LIMIT_S:
                raise PromiseBroken(f"{alarm} has paged nobody within 5 min; it is {self.states.get(alarm)}")
            self._one(each)
        page = self._once(alarm, found)
        late_s = page.opened_at_s - true_at_s
        if late_s > PLAN_LIMIT_S:
            raise PromiseBroken(f"{alarm} paged {late_s / 60:.1f} min after its condition was true; 5 are promised")
        if late_s < -1:
            raise PromiseBroken(f"{alarm} paged {-late_s / 60:.1f} min before its condition was true")
        self._pipeline.note(f"{page.title}: PagerDuty opened an incident {late_s / 60:.1f} min after it was true.")
        return page

    def until_resolved(self, alarm: str, *, within_min: int, each: Each | None = None) -> Page:
        """Live minutes until PagerDuty has closed the incident by itself.

        Raises:
            PromiseBroken: it is open after so many minutes, or there was more than one.
        """
        began = self.minute
        while (page := self._once(alarm, self.pages(alarm))).resolved_at_s is None:
            if self.minute - began >= within_min:
                raise PromiseBroken(f"{alarm} has not resolved within {within_min} min of the recovery")
            self._one(each)
        self._pipeline.note(f"{alarm}: resolved by itself {self.minute - began} min after the recovery.")
        return page

    @staticmethod
    def _once(alarm: str, found: list[Page]) -> Page:
        if len(found) != 1 or found[0].triggers != 1:
            times = sum(one.triggers for one in found)
            raise PromiseBroken(
                f"{alarm} must page once; it opened {len(found)} incidents and told of them {times} times"
            )
        return found[0]

    def not_ok(self) -> dict[str, str]:
        """The alarms that are in another state, with it."""
        return {name: state for name, state in self.states.items() if state != "OK"}

    def until_all_are_ok(self, *, within_min: int) -> None:
        """Live minutes until every alarm says OK. A percentile of few samples says nothing, and leaves a new alarm as
        it is: what an earlier scenario's last sale has told must have left its range.

        Raises:
            PromiseBroken: they are not after so many minutes.
        """
        began = self.minute
        while ill := self.not_ok():
            if self.minute - began >= within_min:
                raise PromiseBroken(f"every alarm must be OK while nothing happens; after {within_min} min: {ill}")
            self._one(None)

    # -- metrics ---------------------------------------------------------------------------------------------

    def metric(self, name: str, **dimensions: str) -> list[dict[str, Any]]:
        """Its datapoints since the alarms were begun: `at_s`, `sum`, `count`, `minimum`, `maximum`, `p50`, …"""
        found = self._pipeline.info.control.call("alarms_metric", name=name, since_s=self.began_s - 2 * MINUTE_S)
        return [one for one in found if dimensions.items() <= one["dimensions"].items()]

    def keep_pictures(self) -> None:
        """Let the report show what the target's dashboard showed since the alarms were begun."""
        call = self._pipeline.info.control.call
        call("dashboard", pictures=call("alarms_pictures", since_s=self.began_s - MINUTE_S))

    def unpublished(self) -> list[str]:
        """What the template reads, is not AWS's own, and has no datapoint."""
        return [
            f"{one['name']} {one['dimensions']}"
            for one in self.reads
            if not one["namespace"].startswith("AWS/") or one["namespace"] == "AWS/SQS"
            if not any(seen["dimensions"] == one["dimensions"] for seen in self.metric(one["name"]))
        ]

    @contextmanager
    def cloudwatch_away(self, how: str = "refuse") -> Iterator[None]:
        """CloudWatch cannot be reached (`refuse`, `error`, `hang`) for as long as the block lasts."""
        call = self._pipeline.info.control.call
        call("cloudwatch_away", how=how)
        try:
            yield
        finally:
            call("cloudwatch_away", how="")

    @contextmanager
    def silence(self, role: str) -> Iterator[None]:
        """Nothing is expected of that process, although it runs (it is paused, say)."""
        self._silent.append(role)
        try:
            yield
        finally:
            self._silent.remove(role)


def alarms_table(pipeline: Any) -> list[dict[str, Any]]:
    """Every alarm of the target's template against its own signals; the report shows it.

    Raises:
        PromiseBroken: an alarm does not do what the plan says.
    """
    told = pipeline.info.control.call("alarms_table")
    if reason := told.get("not_observed"):
        not_declared(reason)
    if complaints := told["complaints"]:
        raise PromiseBroken("; ".join(complaints[:5]))
    rows: list[dict[str, Any]] = told["rows"]
    return rows
