"""What came in, per pixel and bounded; who waits for a call is woken by the call, never by a timer.

Belongs to one event loop: only `wait_for_calls` awaits, everything else is atomic to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import orjson

from simulators.meta.diagnostics import complaints, missing_keys

SHOWN = (
    *("event_name", "event_id", "event_time", "action_source", "event_source_url", "user_data", "custom_data"),
    *("data_processing_options", "opt_out"),
)


class Arrival(NamedTuple):
    """One event of one call, as load runs want it; `seq` is the call's."""

    seq: int
    pixel: str
    event_id: str | None
    event_name: str | None
    order_id: str | None
    received_at_s: float
    counted: bool
    answered_at_s: float
    """When the client could know of it: the drawn latency later; a fault's own waiting is not in it."""


_Row = tuple[int, str, str | None, str | None, str | None, float, bool, float]
_NOTHING: dict[str, Any] = {}


@dataclass(kw_only=True, slots=True)
class Call:
    """One request to the events edge and what became of it; `at_s` is Unix seconds on the fake's clock."""

    seq: int
    pixel: str
    at_s: float
    status: int
    code: int | None
    subcode: int | None
    fault: str | None
    token_last4: str | None
    events: Sequence[Any]
    verdicts: Sequence[str]
    source: str = "server"
    """`browser`: it came by the Pixel, and only the deduplication knows of it."""
    test_event_code: str | None = None
    """Of the request: such events show in the Test Events tool, and count all the same."""
    latency_s: float = 0.0
    """How long after `at_s` its answer is sent, by the pixel's own latency."""
    _packed: bytes | None = None

    def pack(self) -> None:
        """Keep the events as bytes: a kept call weighs a tenth, and the garbage collector has nothing to look at."""
        try:
            self._packed = orjson.dumps(self.events)
        except orjson.JSONEncodeError:
            return  # nested more deeply than orjson writes: kept as it is
        self.events = ()

    def _unpacked(self) -> Sequence[Any]:
        if self._packed is None:
            return self.events
        events: list[Any] = orjson.loads(self._packed)
        return events

    def to_json(self) -> dict[str, Any]:
        """The wire shape of `docs/contracts.md`; members an event lacks are null."""
        return {
            "seq": self.seq,
            "pixel": self.pixel,
            "at_s": self.at_s,
            "status": self.status,
            "code": self.code,
            "subcode": self.subcode,
            "fault": self.fault,
            "token_last4": self.token_last4,
            "test_event_code": self.test_event_code,
            "source": self.source,
            "events": [_shown(one, verdict) for one, verdict in zip(self._unpacked(), self.verdicts, strict=True)],
        }


@dataclass(slots=True)
class _Box:
    """The calls of one pixel, oldest first."""

    calls: deque[Call] = field(default_factory=deque)
    weight: int = 0
    dropped: int = 0
    last_dropped: int = 0
    grew: asyncio.Condition = field(default_factory=asyncio.Condition)
    waiting: int = 0


def _shown(event: Any, verdict: str) -> dict[str, Any]:
    known = event if isinstance(event, dict) else {}
    return {
        **{key: known.get(key) for key in SHOWN},
        "verdict": verdict,
        "complaints": complaints(event),
        "missing_keys": missing_keys(event),
    }


class Inbox:
    """Per pixel the last calls, together at most `events_per_pixel` events; of all pixels the last `arrivals` events.

    A call weighs at least one, and the newest is always kept.
    """

    def __init__(self, *, events_per_pixel: int = 10_000, arrivals: int = 50_000) -> None:
        self.seq = 0
        self._events_per_pixel, self._arrivals_kept = events_per_pixel, arrivals
        self._boxes: defaultdict[str, _Box] = defaultdict(_Box)
        self._arrivals: deque[_Row] = deque()
        self._arrivals_dropped = 0
        self._last_arrival_dropped = 0

    def next_seq(self) -> int:
        """The number of the next call: counts up from 1 over all pixels."""
        self.seq += 1
        return self.seq

    async def put(self, call: Call) -> None:
        """File a call and wake who waits for its pixel."""
        box = self._boxes[call.pixel]
        box.calls.append(call)
        box.weight += _weight(call)
        while box.weight > self._events_per_pixel and len(box.calls) > 1:
            oldest = box.calls.popleft()
            box.weight -= _weight(oldest)
            box.last_dropped = oldest.seq
            box.dropped += 1
        self._arrive(call)
        call.pack()
        if box.waiting:
            async with box.grew:
                box.grew.notify_all()

    def _arrive(self, call: Call) -> None:
        """Remember a server's events in short. Plain tuples, in one go: this stands on the path of every event."""
        if call.source == "browser":
            return
        seq, pixel, at_s, answered_at_s = call.seq, call.pixel, call.at_s, call.at_s + call.latency_s
        for event, verdict in zip(call.events, call.verdicts, strict=True):
            known = event if type(event) is dict else _NOTHING
            custom = known.get("custom_data")
            event_id, name = known.get("event_id"), known.get("event_name")
            order_id = custom.get("order_id") if type(custom) is dict else None
            self._arrivals.append(
                (
                    seq,
                    pixel,
                    event_id if type(event_id) is str else None,
                    name if type(name) is str else None,
                    order_id if type(order_id) is str else None,
                    at_s,
                    verdict == "counted",
                    answered_at_s,
                )
            )
        while len(self._arrivals) > self._arrivals_kept:
            self._last_arrival_dropped = self._arrivals.popleft()[0]
            self._arrivals_dropped += 1

    async def wait_for_calls(self, pixel: str, *, after: int, count: int, wait_s: float) -> tuple[list[Call], int]:
        """The calls of `pixel` with `seq` > `after`, and how many of the pixel's were dropped that may belong there.

        Returns as soon as there are `count`, or after `wait_s` seconds with what there is.
        """
        box = self._boxes.get(pixel)
        if box is None and (wait_s <= 0 or count <= 0):
            return [], 0  # a question does not make a pixel
        box = self._boxes[pixel]
        if wait_s > 0 and not _has(box, after, count):
            box.waiting += 1
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s), box.grew:
                        await box.grew.wait_for(lambda: _has(box, after, count))
            finally:
                box.waiting -= 1
        found = _newer(box.calls, after)
        return found, box.dropped if after < box.last_dropped else 0

    def arrivals(self, *, after: int, limit: int) -> tuple[list[Arrival], int]:
        """Events of calls with `seq` > `after`, oldest first, and how many were dropped that may belong there.

        Stops at `limit` events, but never within a call, so that the last `seq` is where to go on.
        """
        newer = len(self._arrivals)
        for one in reversed(self._arrivals):
            if one[0] <= after:
                break
            newer -= 1
        found = list(islice(self._arrivals, newer, newer + limit))
        for one in islice(self._arrivals, newer + limit, None):
            if not found or one[0] != found[-1][0]:
                break
            found.append(one)
        return [Arrival(*one) for one in found], self._arrivals_dropped if after < self._last_arrival_dropped else 0


def _weight(call: Call) -> int:
    return max(1, len(call.verdicts))


def _newer(calls: deque[Call], after: int) -> list[Call]:
    found: list[Call] = []
    for one in reversed(calls):
        if one.seq <= after:
            break
        found.append(one)
    found.reverse()
    return found


def _has(box: _Box, after: int, count: int) -> bool:
    """Whether `count` calls newer than `after` are there; looks at no more than `count` of them."""
    if count <= 0:
        return True
    return len(box.calls) >= count and box.calls[-count].seq > after
