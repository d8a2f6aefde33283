"""The incidents, and every call that came in; both bounded, and both say what they dropped.

Belongs to one event loop: only the `wait_for_…` await, everything else is atomic to it. Who waits is woken by a call,
never by a timer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from simulators.pagerduty.rules import Event, Origin, Severity

State = Literal["triggered", "acknowledged", "resolved"]
Verdict = Literal["triggered", "repeated", "acknowledged", "resolved", "unmatched"]
MAX_DETAILS_BYTES = 8 * 1024
"""Of one incident's details as JSON; larger ones are not kept."""


@dataclass(kw_only=True, slots=True)
class Incident:
    """One incident, which is one page; times are Unix seconds on the fake's clock."""

    number: int
    origin: Origin
    key: str = field(repr=False)
    """The integration key; only its last four are ever shown."""
    dedup_key: str
    title: str
    severity: Severity | None
    opened_at_s: float
    details: Mapping[str, Any] | None
    details_bytes: int
    """How large the details were, also when they were too large to keep (`details` is None); 0: too deep to say."""
    seq: int = 0
    """Of its last change: counts up over all incidents and calls."""
    state: State = "triggered"
    triggers: int = 1
    """Events that said the same; only the first of them paged."""
    acknowledged_at_s: float | None = None
    resolved_at_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The wire shape of `docs/fakes_pagerduty.md`."""
        return {
            "seq": self.seq,
            "number": self.number,
            "state": self.state,
            "origin": self.origin,
            "key_last4": self.key[-4:],
            "dedup_key": self.dedup_key,
            "title": self.title,
            "severity": self.severity,
            "triggers": self.triggers,
            "opened_at_s": self.opened_at_s,
            "acknowledged_at_s": self.acknowledged_at_s,
            "resolved_at_s": self.resolved_at_s,
            "details": self.details,
            "details_bytes": self.details_bytes,
        }


@dataclass(kw_only=True, slots=True)
class Call:
    """One request and what became of it. Holds no body, no token and of the integration key the last four."""

    at_s: float
    endpoint: str
    """`sns` or `events_v2`."""
    status: int
    """HTTP; 0: none was sent."""
    verdict: str
    """A `Verdict`, or confirmed, unconfirmed, unsubscribed, discarded, refused, failed (by a fault)."""
    reason: str | None = None
    """Why, where the verdict does not say it."""
    kind: str | None = None
    """SNS: the Type. Events API v2: the event_action."""
    fault: str | None = None
    key_last4: str | None = None
    dedup_key: str | None = None
    message_id: str | None = None
    """SNS repeats it with every retry."""
    seq: int = 0

    def to_json(self) -> dict[str, Any]:
        """The wire shape of `docs/fakes_pagerduty.md`."""
        return {name: getattr(self, name) for name in ("seq", *(one for one in self.__slots__ if one != "seq"))}


@dataclass
class Inbox:
    """The last `keep_incidents` incidents, by their last change, and the last `keep_calls` calls."""

    keep_incidents: int = 1000
    keep_calls: int = 10_000
    seq: int = 0
    incidents_dropped: int = 0
    open_dropped: int = 0
    """How many of the dropped incidents were not resolved: their resolve will match nothing."""
    calls_dropped: int = 0
    _opened: int = 0
    _incidents_dropped_to: int = 0
    _calls_dropped_to: int = 0
    _incidents: OrderedDict[int, Incident] = field(default_factory=OrderedDict)
    """By number, in the order of their last change."""
    _open: dict[tuple[str, str], Incident] = field(default_factory=dict)
    """By integration key and dedup key; keys are never shared between integrations (4.11)."""
    _calls: deque[Call] = field(default_factory=deque)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def apply(self, event: Event, *, dedup_key: str, now_s: float) -> Verdict:
        """Open, repeat, acknowledge or resolve (4.11); `dedup_key` is the event's own, or the one made for it.

        A trigger on an open alert is a log entry and pages nobody; after its resolve it is a new alert. What matches
        no open alert of this integration key is dropped.
        """
        found = self._open.get((event.key, dedup_key))
        if event.action == "trigger":
            if found is None:
                self._open_one(event, dedup_key, now_s)
                return "triggered"
            found.triggers += 1
            self._touch(found)
            return "repeated"
        if found is None:
            return "unmatched"
        self._touch(found)
        if event.action == "acknowledge":
            found.state = "acknowledged"
            found.acknowledged_at_s = found.acknowledged_at_s or now_s
            return "acknowledged"
        found.state, found.resolved_at_s = "resolved", now_s
        del self._open[event.key, dedup_key]
        return "resolved"

    def _open_one(self, event: Event, dedup_key: str, now_s: float) -> None:
        self._opened += 1
        details, size = _bounded(event.details)
        opened = Incident(
            number=self._opened,
            origin=event.origin,
            key=event.key,
            dedup_key=dedup_key,
            title=event.title,
            severity=event.severity,
            opened_at_s=now_s,
            details=details,
            details_bytes=size,
        )
        self._incidents[opened.number] = opened
        self._open[event.key, dedup_key] = opened
        self._touch(opened)
        while len(self._incidents) > self.keep_incidents:
            _, oldest = self._incidents.popitem(last=False)
            self.incidents_dropped += 1
            self._incidents_dropped_to = oldest.seq
            if oldest.state != "resolved":
                self.open_dropped += 1
                del self._open[oldest.key, oldest.dedup_key]

    def _touch(self, incident: Incident) -> None:
        self.seq += 1
        incident.seq = self.seq
        self._incidents.move_to_end(incident.number)

    async def file(self, call: Call) -> None:
        """Keep the call, after what it changed, and wake who waits."""
        self.seq += 1
        call.seq = self.seq
        self._calls.append(call)
        if len(self._calls) > self.keep_calls:
            self._calls_dropped_to = self._calls.popleft().seq
            self.calls_dropped += 1
        async with self._changed:
            self._changed.notify_all()

    async def wait_for_incidents(
        self, *, after: int, count: int, wait_s: float, dedup_key: str | None = None
    ) -> tuple[list[Incident], int]:
        """The incidents that changed after `after`, oldest change first, and how many were dropped of those.

        Returns as soon as there are `count`, or after `wait_s` seconds with what there is.
        """

        def newer() -> list[Incident]:
            found = []
            for one in reversed(self._incidents.values()):
                if one.seq <= after:
                    break
                if dedup_key is None or one.dedup_key == dedup_key:
                    found.append(one)
            return found[::-1]

        await self._wait(lambda: len(newer()) >= count, wait_s)
        return newer(), self.incidents_dropped if after < self._incidents_dropped_to else 0

    async def wait_for_calls(self, *, after: int, count: int, wait_s: float) -> tuple[list[Call], int]:
        """The calls filed after `after`, oldest first, and how many were dropped of those; waits likewise."""

        def newer() -> list[Call]:
            found = []
            for one in reversed(self._calls):
                if one.seq <= after:
                    break
                found.append(one)
            return found[::-1]

        await self._wait(lambda: len(newer()) >= count, wait_s)
        return newer(), self.calls_dropped if after < self._calls_dropped_to else 0

    async def _wait(self, enough: Callable[[], bool], wait_s: float) -> None:
        if wait_s <= 0 or enough():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._changed:
                await self._changed.wait_for(enough)


def _bounded(details: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, int]:
    """The details if they are small enough to keep and flat enough to write as JSON, and their size in bytes."""
    if details is None:
        return None, 0
    try:
        size = len(orjson.dumps(details))
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes (254 levels)
        return None, 0
    return (details if size <= MAX_DETAILS_BYTES else None), size
