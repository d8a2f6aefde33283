"""What came in, per pixel and bounded; who waits for a call is woken by the call, never by a timer.

Belongs to one event loop: only `wait_for_calls` awaits, everything else is atomic to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import msgspec
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


class Columns(NamedTuple):
    """What the short list tells of a call's events: a column is made faster than a row for each event."""

    event_ids: tuple[str | None, ...]
    event_names: tuple[str | None, ...]
    order_ids: tuple[str | None, ...]


class _Short(msgspec.Struct, frozen=True, gc=False):
    """A call in short."""

    seq: int
    pixel: str
    received_at_s: float
    answered_at_s: float
    columns: Columns
    verdicts: Sequence[str]

    def rows(self) -> Iterator[Arrival]:
        for event_id, name, order_id, verdict in zip(*self.columns, self.verdicts, strict=True):
            yield Arrival(
                self.seq,
                self.pixel,
                event_id,
                name,
                order_id,
                self.received_at_s,
                verdict == "counted",
                self.answered_at_s,
            )


_NOTHING: dict[str, Any] = {}
_TEXT_OR_NONE = frozenset([str, type(None)])


def _columns(events: Sequence[Any]) -> Columns:
    known = [event if type(event) is dict else _NOTHING for event in events]
    customs = [event.get("custom_data") for event in known]
    return Columns(
        _column([event.get("event_id") for event in known]),
        _column([event.get("event_name") for event in known]),
        _column([custom.get("order_id") if type(custom) is dict else None for custom in customs]),
    )


def _column(values: Sequence[Any]) -> tuple[str | None, ...]:
    """Texts as they are; whatever else a client puts there is nothing."""
    if _TEXT_OR_NONE.issuperset(map(type, values)):
        return tuple(values)
    return tuple(one if type(one) is str else None for one in values)


class Call(msgspec.Struct, kw_only=True, gc=False):
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
    packed: bytes | None = None
    """The events as JSON: an array, or an object in whose `data` they stand."""

    def pack(self) -> None:
        """Keep the events as bytes: a kept call weighs a tenth, and the garbage collector has nothing to look at."""
        if self.packed is not None:
            return
        try:
            self.packed = orjson.dumps(self.events)
        except orjson.JSONEncodeError:
            return  # nested more deeply than orjson writes: kept as it is
        self.events = ()

    def _unpacked(self) -> Sequence[Any]:
        if self.packed is None:
            return self.events
        found = orjson.loads(self.packed)
        events: list[Any] = found["data"] if isinstance(found, dict) else found
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
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """Who waits for the next call of this pixel."""


def _shown(event: Any, verdict: str) -> dict[str, Any]:
    known = event if isinstance(event, dict) else {}
    return {
        **{key: known.get(key) for key in SHOWN},
        "rest": {key: value for key, value in known.items() if key not in SHOWN} if known else event,
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
        self._arrivals: deque[_Short] = deque()
        self._arrivals_held = self._arrivals_dropped = 0  # events
        self._last_arrival_dropped = 0

    def next_seq(self) -> int:
        """The number of the next call: counts up from 1 over all pixels."""
        self.seq += 1
        return self.seq

    def put(self, call: Call, columns: Columns | None = None) -> None:
        """File a call and wake who waits for its pixel; `columns` where they are known, else they are made."""
        box = self._boxes[call.pixel]
        box.calls.append(call)
        box.weight += _weight(call)
        while box.weight > self._events_per_pixel and len(box.calls) > 1:
            oldest = box.calls.popleft()
            box.weight -= _weight(oldest)
            box.last_dropped = oldest.seq
            box.dropped += 1
        if call.source != "browser" and call.verdicts:
            self._arrive(call, columns or _columns(call.events))
        call.pack()
        for one in box.waiting:
            if not one.done():
                one.set_result(None)

    def _arrive(self, call: Call, columns: Columns) -> None:
        """Remember a server's events in short; whole calls are dropped, the newest never."""
        answered_at_s = call.at_s + call.latency_s
        self._arrivals.append(_Short(call.seq, call.pixel, call.at_s, answered_at_s, columns, call.verdicts))
        self._arrivals_held += len(call.verdicts)
        while self._arrivals_held > self._arrivals_kept and len(self._arrivals) > 1:
            oldest = self._arrivals.popleft()
            self._arrivals_held -= len(oldest.verdicts)
            self._arrivals_dropped += len(oldest.verdicts)
            self._last_arrival_dropped = oldest.seq

    async def wait_for_calls(self, pixel: str, *, after: int, count: int, wait_s: float) -> tuple[list[Call], int]:
        """The calls of `pixel` with `seq` > `after`, and how many of the pixel's were dropped that may belong there.

        Returns as soon as there are `count`, or after `wait_s` seconds with what there is.
        """
        box = self._boxes.get(pixel)
        if box is None and (wait_s <= 0 or count <= 0):
            return [], 0  # a question does not make a pixel
        box = self._boxes[pixel]
        if wait_s > 0 and not _has(box, after, count):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while not _has(box, after, count):
                        await _next(box)
        found = _newer(box.calls, after)
        return found, box.dropped if after < box.last_dropped else 0

    def arrivals(self, *, after: int, limit: int) -> tuple[list[Arrival], int]:
        """Events of calls with `seq` > `after`, oldest first, and how many were dropped that may belong there.

        Stops at `limit` events, but never within a call, so that the last `seq` is where to go on.
        """
        newer = len(self._arrivals)
        for one in reversed(self._arrivals):
            if one.seq <= after:
                break
            newer -= 1
        found: list[Arrival] = []
        for one in islice(self._arrivals, newer, None):
            if len(found) >= limit:
                break
            found += one.rows()
        return found, self._arrivals_dropped if after < self._last_arrival_dropped else 0


async def _next(box: _Box) -> None:
    """Wait for one more call; woken by it, never by a timer."""
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    box.waiting.add(woken)
    try:
        await woken
    finally:
        box.waiting.discard(woken)


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
