"""A pipeline whose clock jumps: the same words, and `travel`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from harness.clock import RunClock
from harness.errors import HarnessError
from harness.tenants import Tenant
from harness.testing.answers import not_declared, not_observable
from harness.testing.pipeline import Pipeline
from harness.testing.stack_info import StackInfo
from harness.waiting import wait_until

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Which days of the travelling instance's calendar a scenario takes, counted from the run's origin.

    Each scenario has its own days, so what it sends is a function of the run's origin, and not of who travelled before.
    """

    day: int
    days: int

    def __post_init__(self) -> None:
        if self.day < 1 or self.days < 1:
            raise HarnessError("time_travel(day, days): the first day is 1 or later, and it takes at least one")

    @property
    def end(self) -> int:
        """The first day that is somebody else's."""
        return self.day + self.days


def overlapping(periods: Sequence[tuple[str, Period]]) -> list[str]:
    """Scenarios that would meet on the calendar, each pair in words."""
    ordered = sorted(periods, key=lambda one: one[1].day)
    return [
        f"{name} takes the days {mine.day} to {mine.end - 1}, and {after} begins on day {its.day}"
        for (name, mine), (after, its) in itertools.pairwise(ordered)
        if its.day < mine.end
    ]


def travelling_info(info: StackInfo, instance: str = "travelling") -> StackInfo:
    """That instance, started if nobody has used it yet; not observed where this target cannot travel.

    Raises:
        PromiseBroken: the target does not start there. HarnessError: one of our parts does not.
    """
    answer = info.control.call(instance)
    if reason := answer.get("declared"):
        not_declared(reason)
    if reason := answer.get("not_observed"):
        not_observable(reason)
    return StackInfo.read(Path(answer["info"]))


class TravellingPipeline(Pipeline):
    """The target on its second instance, as one scenario sees it: database, queue and Meta travel with it.

    Only wall clocks jump. What a process waits for by a monotonic clock (a long poll, a pause after a throttle, the
    time to live of a cache) goes on as if nothing had happened.
    """

    def __init__(
        self, info: StackInfo, tenants: Sequence[Tenant], *, scenario: str, gateway: str | None, period: Period
    ) -> None:
        super().__init__(info, tenants, scenario=scenario, gateway=gateway)
        self._origin_s = info.clock.origin_s
        self._ends_s = info.clock.origin_s + period.end * DAY_S
        self._go(info.clock.origin_s + period.day * DAY_S)

    @property
    def landed_s(self) -> int:
        """Where the last jump has landed, in seconds since 1970: the same in each run of the same origin."""
        return self.info.clock.origin_s

    def travel(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """So much later than where the last jump has landed; at least ten seconds after the present.

        What is on its way is waited for first: nobody jumps in the middle of a call. The scenario ends as not observed
        where a clock that can be seen did not follow.

        Raises:
            HarnessError: that moment is over, or belongs to the next scenario.
        """
        by = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self.travel_to(self.landed_s + round(by.total_seconds()))

    def travel_to(self, moment_s: int, *, quietly: bool = False) -> None:
        """As `travel`, to a moment in seconds since 1970. `quietly`: the report does not list this jump."""
        if moment_s >= self._ends_s:
            raise HarnessError(
                f"{self.scenario} travels past its period's end; give its mark time_travel(day, days) more days"
            )
        self._wait_for_rest()
        self._go(moment_s, quietly=quietly)

    def next_local(self, hour: int, minute: int, *, zone: str) -> int:
        """When clocks in that zone next show that time, seen from the last landing; seconds since 1970."""
        here = datetime.fromtimestamp(self.landed_s, UTC).astimezone(ZoneInfo(zone))
        then = here.replace(hour=hour, minute=minute, second=0)
        return int((then if then > here else then + timedelta(days=1)).timestamp())

    def local_date(self, *, zone: str) -> str:
        """The day that a calendar in that zone shows, like 2026-03-01, as of the last landing."""
        return datetime.fromtimestamp(self.landed_s, UTC).astimezone(ZoneInfo(zone)).date().isoformat()

    def kept_days(self, what: str) -> float:
        """For how long the target says that it keeps something (`hashes_days`, …); without a word, not observed."""
        days: float | None = getattr(self.info.target.keeps, what)
        if days is None:
            not_declared(f"the target file states no keeps.{what}")
        return days

    def _wait_for_rest(self) -> None:
        wait_until(
            lambda: self.ledger().ledger.pending,
            lambda pending: pending == 0,
            goal="nothing on its way before the clock jumps",
            within_s=self.timings.dispatch_s,
        )

    def _go(self, moment_s: int, *, quietly: bool = False) -> None:
        told = self.info.control.call("travel", to_s=moment_s)
        when = datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if told["unproved"]:
            not_observable(f"the jump to {when} cannot be proved: {'; '.join(told['unproved'])}")
        self.info = replace(self.info, clock=RunClock(origin_s=moment_s, offset_s=told["offset_s"]))
        if quietly:
            return
        self.note(f"The clock jumped to {when} in {told['took_s']:.2f} s; seen by {', '.join(told['witnesses'])}.")
