"""Ways of failing, by name. A fault says how; `Armed` says how often; a pixel's faults never touch another pixel.

To add one: a frozen dataclass below (its fields are its parameters, its docstring its line in the table) with an
`act`, and a line in `FAULTS`; CONTRIBUTING.md says what tests and the model want to know of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast

import msgspec
import orjson

from simulators import wire
from simulators.arming import Armed, BadFault, armed
from simulators.meta.errors import TABLE, GraphError

MAX_HANG_S = 3600.0
MAX_REGAIN_MINUTES = 60 * 24 * 365
#: Codes that tell of a limit, and the answer of the table that each is.
LIMITS: Mapping[int, str] = {
    4: "app_limit",
    17: "user_limit",
    32: "page_limit",
    613: "custom_limit",
    80003: "audience_limit",
    80004: "business_limit",
}


class Reply(wire.Reply, kw_only=True, frozen=True):
    """An answer of Graph's; `error` is what a client reads in it."""

    error: GraphError | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a fault can do: let the real work happen, answer an error, wait. All belong to one call."""

    events: Sequence[Any]
    """The decoded events; empty when they could not be decoded."""
    now_s: float
    work: Callable[[], Awaitable[Reply]]
    """Validate, dedupe, count and file the call; the honest reply. Whoever waits for the call is woken now."""
    refuse: Callable[[GraphError], Awaitable[Reply]]
    """File the call as refused with that error; the reply that says so."""
    leave: Callable[[int], Awaitable[None]]
    """File the call as received and not worked on, with that HTTP status (0: none is sent)."""
    wait: Callable[[float], Awaitable[None]]
    """Wait that many seconds; cut short when the client goes away or the process ends."""
    expired: Callable[[], GraphError]


class Fault(Protocol):
    """One way of failing; the docstring of its class is its description."""

    name: ClassVar[str]

    async def act(self, context: Context) -> Reply:
        """Answer this call the failing way."""
        ...

    def concerns(self, events: Sequence[Any]) -> bool:
        """Whether it strikes a call with these events at all; one it does not concern uses up no strike."""
        ...


class _EveryCall:
    def concerns(self, events: Sequence[Any]) -> bool:  # noqa: ARG002 -- every call is concerned
        """Every call."""
        return True


@dataclass(frozen=True, kw_only=True)
class BrownOut(_EveryCall):
    """Meta is in trouble: 500, code 2, is_transient; nothing is counted."""

    name: ClassVar[str] = "brown_out"

    async def act(self, context: Context) -> Reply:
        """500/2."""
        return await context.refuse(GraphError("try_later"))


@dataclass(frozen=True, kw_only=True)
class Throttle(_EveryCall):
    """Too many calls: that code with usage headers at 100 % and the minutes until access is regained."""

    name: ClassVar[str] = "throttle"
    regain_minutes: int = 5
    code: int = 4

    def __post_init__(self) -> None:
        if self.code not in LIMITS or not 0 <= self.regain_minutes <= MAX_REGAIN_MINUTES:
            codes = ", ".join(map(str, LIMITS))
            message = f"throttle: code is one of {codes}, regain_minutes is within 0 and {MAX_REGAIN_MINUTES}"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """The error, and the headers from which clients read how long to wait."""
        reply = await context.refuse(GraphError(LIMITS[self.code]))
        usage = {"call_count": 100, "total_cputime": 25, "total_time": 25}
        business = {
            "type": "ads_management",
            **usage,
            "estimated_time_to_regain_access": self.regain_minutes,
            "ads_api_access_tier": "standard_access",
        }
        account = {
            "acc_id_util_pct": 100.0,
            "reset_time_duration": self.regain_minutes * 60,
            "ads_api_access_tier": "standard_access",
        }
        headers = (
            (b"x-app-usage", orjson.dumps(usage)),
            (b"x-business-use-case-usage", orjson.dumps({"1000000000000001": [business]})),
            (b"x-ad-account-usage", orjson.dumps(account)),
        )
        return msgspec.structs.replace(reply, headers=(*reply.headers, *headers))


@dataclass(frozen=True, kw_only=True)
class Refusal(_EveryCall):
    """Any answer of the table (`simulators/meta/errors.py`) by its name; nothing is counted."""

    name: ClassVar[str] = "refusal"
    error: str

    def __post_init__(self) -> None:
        if self.error not in TABLE:
            message = f"refusal: error is one of {', '.join(sorted(TABLE))}"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """That answer, its blanks filled by dots."""
        return await context.refuse(GraphError.example(self.error))


@dataclass(frozen=True, kw_only=True)
class SlowBody(_EveryCall):
    """The work is done and counted; the body of its honest answer takes `over_s` seconds to come, in ten pieces."""

    name: ClassVar[str] = "slow_body"
    over_s: float = 10.0

    def __post_init__(self) -> None:
        _check_hang(self.over_s)

    async def act(self, context: Context) -> Reply:
        """Count, then dribble: no single wait is long, which is what a client's socket time-out looks at."""
        return msgspec.structs.replace(await context.work(), over_s=self.over_s)


@dataclass(frozen=True, kw_only=True)
class ExpiredToken(_EveryCall):
    """The token is told to have expired: 190/463; the token itself stays as it was."""

    name: ClassVar[str] = "expired_token"

    async def act(self, context: Context) -> Reply:
        """190/463."""
        return await context.refuse(context.expired())


@dataclass(frozen=True, kw_only=True)
class Html502(_EveryCall):
    """The edge answers instead of Graph: 502 with an HTML page; nothing is counted."""

    name: ClassVar[str] = "html_502"

    async def act(self, context: Context) -> Reply:
        """A page no JSON parser likes."""
        await context.leave(502)
        page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return Reply(status=502, body=page, content_type=b"text/html; charset=utf-8")


@dataclass(frozen=True, kw_only=True)
class Html429(_EveryCall):
    """The edge throttles instead of Graph: 429 with an HTML page and no word on how long; nothing is counted."""

    name: ClassVar[str] = "html_429"

    async def act(self, context: Context) -> Reply:
        """A page no JSON parser likes."""
        await context.leave(429)
        page = b"<html><head><title>429 Too Many Requests</title></head><body><h1>429</h1></body></html>"
        return Reply(status=429, body=page, content_type=b"text/html; charset=utf-8")


@dataclass(frozen=True, kw_only=True)
class LoseReply(_EveryCall):
    """The work is done and counted, then the connection is reset before a byte of the answer."""

    name: ClassVar[str] = "lose_reply"

    async def act(self, context: Context) -> Reply:
        """Count, then cut."""
        return msgspec.structs.replace(await context.work(), cut=True)


@dataclass(frozen=True, kw_only=True)
class Hang(_EveryCall):
    """Nothing for `hang_s` seconds and nothing counted, then the connection is reset."""

    name: ClassVar[str] = "hang"
    hang_s: float = 30.0

    def __post_init__(self) -> None:
        _check_hang(self.hang_s)

    async def act(self, context: Context) -> Reply:
        """Wait, then cut: a client with a time-out sees only the waiting."""
        await context.leave(0)
        await context.wait(self.hang_s)
        return Reply(status=0, body=b"", cut=True)


@dataclass(frozen=True, kw_only=True)
class HangAfterWork(_EveryCall):
    """The work is done and counted at once; its honest answer is kept back for `hang_s` seconds."""

    name: ClassVar[str] = "hang_after_work"
    hang_s: float = 30.0

    def __post_init__(self) -> None:
        _check_hang(self.hang_s)

    async def act(self, context: Context) -> Reply:
        """Count, wait, answer."""
        reply = await context.work()
        await context.wait(self.hang_s)
        return reply


@dataclass(frozen=True, kw_only=True)
class Reset(_EveryCall):
    """The connection is reset before anything is done."""

    name: ClassVar[str] = "reset"

    async def act(self, context: Context) -> Reply:
        """Cut."""
        await context.leave(0)
        return Reply(status=0, body=b"", cut=True)


@dataclass(frozen=True, kw_only=True)
class TruncatedJson(_EveryCall):
    """The work is done and counted; the body of the answer breaks off half-way, as a whole HTTP answer."""

    name: ClassVar[str] = "truncated_json"

    async def act(self, context: Context) -> Reply:
        """Half the body, with a Content-Length that fits the half."""
        reply = await context.work()
        return msgspec.structs.replace(reply, body=reply.body[: len(reply.body) // 2])


@dataclass(frozen=True, kw_only=True)
class CutBody(_EveryCall):
    """The work is done and counted; the connection is closed half-way through the body of the answer."""

    name: ClassVar[str] = "cut_body"

    async def act(self, context: Context) -> Reply:
        """Half the bytes that Content-Length promises."""
        reply = await context.work()
        return msgspec.structs.replace(reply, cut_after_bytes=len(reply.body) // 2)


@dataclass(frozen=True, kw_only=True)
class FewerReceived(_EveryCall):
    """All events are counted but the answer's `events_received` is `missing` lower than what was sent."""

    name: ClassVar[str] = "fewer_received"
    missing: int = 1

    def __post_init__(self) -> None:
        if self.missing < 1:
            message = "fewer_received: missing is at least 1"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """Rewrite the number of an honest success; a refusal stays as it is."""
        reply = await context.work()
        if reply.status != 200:
            return reply
        told = orjson.loads(reply.body)
        told["events_received"] = max(0, told["events_received"] - self.missing)
        return msgspec.structs.replace(reply, body=orjson.dumps(told))


@dataclass(frozen=True, kw_only=True)
class OneEventRefused:
    """Every batch with an event of that `order_id` (in custom_data) is refused whole: 100/2804019."""

    name: ClassVar[str] = "one_event_refused"
    order_id: str

    def concerns(self, events: Sequence[Any]) -> bool:
        """Batches that hold the order."""
        return any(_order_id(event) == self.order_id for event in events)

    async def act(self, context: Context) -> Reply:
        """The refusal names the place of the event, not the order."""
        index = next(number for number, event in enumerate(context.events) if _order_id(event) == self.order_id)
        return await context.refuse(GraphError("parameter", problem=f"Param $['data'][{index}] is not valid"))


FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            BrownOut,
            Throttle,
            Refusal,
            ExpiredToken,
            Html502,
            Html429,
            LoseReply,
            Hang,
            HangAfterWork,
            Reset,
            SlowBody,
            TruncatedJson,
            CutBody,
            FewerReceived,
            OneEventRefused,
        )
    }
)


def make(name: str, parameters: Mapping[str, object]) -> Fault:
    """The fault of that name.

    Raises:
        BadFault: unknown name, unknown or missing parameter, or one of the wrong type or range.
    """
    kind = FAULTS.get(name)
    if kind is None:
        message = f"no such fault; there are: {', '.join(sorted(FAULTS))}"
        raise BadFault(message)
    known = {one.name: str(one.type) for one in fields(cast(Any, kind))}
    for key, value in parameters.items():
        if key not in known:
            message = f"{name} has no parameter {key!r}; it has: {', '.join(sorted(known)) or 'none'}"
            raise BadFault(message)
        if not _TYPES[known[key]](value):
            message = f"{name}: {key} must be of type {known[key]}"
            raise BadFault(message)
    try:
        return kind(**parameters)
    except TypeError:  # unknown ones are sorted out above
        message = f"{name} needs: {', '.join(sorted(set(known) - set(parameters)))}"
        raise BadFault(message) from None


class Arsenal:
    """What is armed, per pixel; the one armed first strikes first."""

    def __init__(self) -> None:
        self._armed: dict[str, list[Armed[Fault]]] = {}
        self._ids = count(1)

    def arm(self, pixel: str, fault: Fault, *, probability: float, strikes: int | None, seed: int) -> str:
        """Put the fault in place for `pixel`; its id.

        Raises:
            BadFault: probability is not within 0 and 1, or strikes below 1.
        """
        one = armed(f"f{next(self._ids)}", fault, probability=probability, strikes=strikes, seed=seed)
        self._armed.setdefault(pixel, []).append(one)
        return one.id

    def disarm(self, pixel: str) -> None:
        """Nothing is armed for `pixel` any more."""
        self._armed.pop(pixel, None)

    def armed_for(self, pixel: str) -> bool:
        """Whether anything may strike a call to `pixel`."""
        return bool(self._armed.get(pixel))

    def strike(self, pixel: str, events: Sequence[Any]) -> Fault | None:
        """The fault this call meets, if any; spent ones are gone."""
        known = self._armed.get(pixel)
        if not known:
            return None
        struck = next((one for one in known if one.strikes(concerned=one.fault.concerns(events))), None)
        if struck is not None and struck.strikes_left == 0:
            known.remove(struck)
        return None if struck is None else struck.fault


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "int": lambda value: type(value) is int,
    "float": _is_number,
    "str": lambda value: type(value) is str,
}


def _check_hang(hang_s: float) -> None:
    if not 0 <= hang_s <= MAX_HANG_S:
        message = f"hang_s is within 0 and {MAX_HANG_S:.0f}"
        raise BadFault(message)


def _order_id(event: Any) -> object:
    custom = event.get("custom_data") if isinstance(event, dict) else None
    return custom.get("order_id") if isinstance(custom, dict) else None
