"""`/_golive/…`: how a harness sets the fake up and reads what it saw; never part of the imitation.

The routes are in `docs/contracts.md`. Every refusal is 400 or 404 with `{"error": {"code", "message"}}` and quotes no
value: one of them is a token.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.arming import BadFault
from simulators.control import handlers, refusal
from simulators.meta.faults import make
from simulators.meta.inbox import Call
from simulators.meta.latency import Latency, NoSuchLatency
from simulators.meta.state import Meta, NoWayBack
from simulators.meta.tokens import State, Token

PREFIX = "/_golive/"
MAX_WAIT_S = 60.0
_MAX_COUNT = 1_000_000
#: Unix seconds that a calendar has, so that an expiry can be told in words.
_Moment = Annotated[float, Field(ge=0, le=253_402_300_799, allow_inf_nan=False)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _ClockInput(_Input):
    now_s: _Moment


class _LatencyInput(_Input):
    median_ms: float
    p95_ms: float
    seed: int = 0

    def latency(self) -> Latency:
        return Latency(self.median_ms, self.p95_ms, self.seed)


class _TokenInput(_Input):
    token: Annotated[str, Field(min_length=1, max_length=1000)]
    expires_at_s: _Moment | None = None
    state: State = "valid"
    kind: Literal["SYSTEM_USER", "USER"] = "SYSTEM_USER"


class _PixelInput(_Input):
    tokens: list[_TokenInput]
    latency: _LatencyInput | None = None


class _TokenState(_Input):
    state: State
    expires_at_s: _Moment | None = None


class _FaultInput(BaseModel):
    """Whatever else it holds are the parameters of the fault."""

    model_config = ConfigDict(extra="allow")
    fault: str
    strikes: int | None = None
    probability: float = 1.0
    seed: int = 0


class _SeenQuery(_Input):
    pixel: str
    after: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=0, le=_MAX_COUNT)] = 0
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 0.0


class _ArrivalsQuery(_Input):
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=_MAX_COUNT)] = 10_000


_LATENCY_OR_NONE: TypeAdapter[_LatencyInput | None] = TypeAdapter(_LatencyInput | None)


class _Control:
    """The routes of one fake."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    def routes(self) -> list[Route]:
        return [
            Route("/_golive/health", self.health),
            Route("/_golive/clock", self.clock, methods=["PUT"]),
            Route("/_golive/pixels/{pixel}", self.pixel, methods=["PUT"]),
            Route("/_golive/pixels/{pixel}/tokens", self.tokens),
            Route("/_golive/pixels/{pixel}/faults", self.faults, methods=["POST", "DELETE"]),
            Route("/_golive/tokens/{token}", self.token, methods=["PUT"]),
            Route("/_golive/latency", self.latency, methods=["PUT"]),
            Route("/_golive/seen", self.seen),
            Route("/_golive/arrivals", self.arrivals),
        ]

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"name": "meta", "now_s": self._meta.now_s()})

    async def clock(self, request: Request) -> Response:
        wish = _ClockInput.model_validate_json(await request.body())
        return JSONResponse({"now_s": self._meta.travel(wish.now_s)})

    async def tokens(self, request: Request) -> Response:
        """The tokens that may write to the pixel, those that Meta gave out in exchange too; never their values."""
        now_s = self._meta.now_s()
        found = [
            {"issued_at_s": one.issued_at_s, "expires_at_s": one.expires_at_s, "state": one.state_at(now_s)}
            for one in self._meta.tokens.of(request.path_params["pixel"])
        ]
        return JSONResponse({"tokens": found})

    async def pixel(self, request: Request) -> Response:
        meta, pixel = self._meta, request.path_params["pixel"]
        wish = _PixelInput.model_validate_json(await request.body())
        latency = wish.latency.latency() if wish.latency else None
        issued_at_s = int(meta.now_s())
        meta.tokens.register(pixel, [Token(issued_at_s=issued_at_s, **one.model_dump()) for one in wish.tokens])
        if latency is not None:
            meta.latencies[pixel] = latency
        elif "latency" in wish.model_fields_set:
            meta.latencies.pop(pixel, None)
        return JSONResponse({"pixel": pixel})

    async def token(self, request: Request) -> Response:
        wish = _TokenState.model_validate_json(await request.body())
        known = self._meta.tokens.find(request.path_params["token"])
        if known is None:
            return refusal(
                404, "unknown_token", "No such token. Register it with its pixel: PUT /_golive/pixels/{pixel}."
            )
        known.state, known.expires_at_s = wish.state, wish.expires_at_s
        return JSONResponse({"state": known.state_at(self._meta.now_s())})

    async def faults(self, request: Request) -> Response:
        arsenal, pixel = self._meta.arsenal, request.path_params["pixel"]
        if request.method == "DELETE":
            arsenal.disarm(pixel)
            return JSONResponse({"armed": 0})
        wish = _FaultInput.model_validate_json(await request.body())
        fault = make(wish.fault, wish.model_extra or {})
        return JSONResponse(
            {"id": arsenal.arm(pixel, fault, probability=wish.probability, strikes=wish.strikes, seed=wish.seed)}
        )

    async def latency(self, request: Request) -> Response:
        wish = _LATENCY_OR_NONE.validate_json(await request.body())
        self._meta.latency = wish.latency() if wish else None
        return JSONResponse({"latency": wish.model_dump() if wish else None})

    async def seen(self, request: Request) -> Response:
        wish = _SeenQuery.model_validate(dict(request.query_params))
        calls, dropped = await self._meta.inbox.wait_for_calls(
            wish.pixel, after=wish.after, count=wish.count, wait_s=wish.wait_s
        )
        try:
            told = orjson.dumps({"calls": [call.to_json() for call in calls], "dropped": dropped})
        except orjson.JSONEncodeError:
            told = orjson.dumps({"calls": [_flat(call) for call in calls], "dropped": dropped})
        return Response(told, media_type="application/json")

    async def arrivals(self, request: Request) -> Response:
        wish = _ArrivalsQuery.model_validate(dict(request.query_params))
        found, dropped = self._meta.inbox.arrivals(after=wish.after, limit=wish.limit)
        following = found[-1].seq if found else wish.after
        forgotten = self._meta.dedupe.forgotten
        return JSONResponse({"arrivals": found, "next": following, "dropped": dropped, "forgotten_ids": forgotten})


def create_control(meta: Meta) -> ASGIApp:
    """The control routes as an application of their own."""
    return Starlette(
        routes=_Control(meta).routes(),
        exception_handlers=handlers("docs/contracts.md", BadFault, NoSuchLatency, NoWayBack),
    )


def _flat(call: Call) -> dict[str, Any]:
    """The call as JSON; of events nested more deeply than orjson writes (254 levels), objects and arrays are null."""
    told = call.to_json()
    try:
        orjson.dumps({"calls": [told]})
    except orjson.JSONEncodeError:
        for event in told["events"]:
            event.update((key, None) for key, value in event.items() if isinstance(value, dict | list))
    return told
