"""`/_golive/…`: how a harness sets the fake up and reads what it saw; never part of the imitation.

The routes are in `docs/fakes_pagerduty.md`. Every refusal is 400 or 404 with `{"error": {"code", "message"}}` and
quotes no value: one of them is an integration key.
"""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.control import handlers, refusal
from simulators.pagerduty.faults import FAULTS, Armed, TooManyFaults
from simulators.pagerduty.rules import is_key
from simulators.pagerduty.state import MAX_KEYS, PagerDuty

PREFIX = "/_golive/"
MAX_WAIT_S = 60.0
_MAX_COUNT = 1_000_000
_MAX_FOR_S = 86_400.0


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _SinceQuery(_Input):
    after: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=0, le=_MAX_COUNT)] = 0
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 0.0


class _IncidentsQuery(_SinceQuery):
    dedup_key: str | None = None


class _FaultInput(_Input):
    fault: str
    strikes: Annotated[int, Field(ge=1, le=_MAX_COUNT)] | None = None
    for_s: Annotated[float, Field(gt=0, le=_MAX_FOR_S)] | None = None
    endpoint: Literal["sns", "events_v2"] | None = None
    hang_s: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @field_validator("fault")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in FAULTS:
            message = f"no such fault; known: {', '.join(FAULTS)}"
            raise ValueError(message)
        return name


class _Control:
    """The routes of one fake."""

    def __init__(self, pagerduty: PagerDuty) -> None:
        self._pagerduty = pagerduty

    def routes(self) -> list[Route]:
        return [
            Route("/_golive/health", self.health),
            Route("/_golive/keys/{key}", self.key, methods=["PUT", "DELETE"]),
            Route("/_golive/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_golive/incidents", self.incidents),
            Route("/_golive/calls", self.calls),
        ]

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"name": "pagerduty", "now_s": self._pagerduty.now_s()})

    async def key(self, request: Request) -> Response:
        keys, key = self._pagerduty.keys, request.path_params["key"]
        if not is_key(key):
            return refusal(400, "bad_request", "an integration key is 32 letters and digits")
        if request.method == "DELETE":
            keys.discard(key)
        elif len(keys) >= MAX_KEYS:
            return refusal(400, "bad_request", f"{MAX_KEYS} keys are registered")
        else:
            keys.add(key)
        return JSONResponse({"key_last4": key[-4:], "registered": key in keys})

    async def faults(self, request: Request) -> Response:
        arsenal, now_s = self._pagerduty.arsenal, self._pagerduty.now_s()
        if request.method == "DELETE":
            arsenal.disarm()
        elif request.method == "POST":
            wish = _FaultInput.model_validate_json(await request.body())
            arsenal.arm(
                Armed(
                    name=wish.fault,
                    strikes=1 if wish.strikes is None and wish.for_s is None else wish.strikes,
                    until_s=None if wish.for_s is None else now_s + wish.for_s,
                    endpoint=wish.endpoint,
                    hang_s=wish.hang_s,
                )
            )
        told = [
            {"fault": one.name, "strikes": one.strikes, "until_s": one.until_s, "endpoint": one.endpoint}
            for one in arsenal.armed(now_s)
        ]
        return JSONResponse({"armed": told})

    async def incidents(self, request: Request) -> Response:
        wish = _IncidentsQuery.model_validate(dict(request.query_params))
        inbox = self._pagerduty.inbox
        found, dropped = await inbox.wait_for_incidents(
            after=wish.after, count=wish.count, wait_s=wish.wait_s, dedup_key=wish.dedup_key
        )
        return _json(
            {
                "incidents": [one.to_json() for one in found],
                "next": found[-1].seq if found else wish.after,
                "dropped": dropped,
                "open_dropped": inbox.open_dropped,
            }
        )

    async def calls(self, request: Request) -> Response:
        wish = _SinceQuery.model_validate(dict(request.query_params))
        found, dropped = await self._pagerduty.inbox.wait_for_calls(
            after=wish.after, count=wish.count, wait_s=wish.wait_s
        )
        return _json(
            {
                "calls": [one.to_json() for one in found],
                "next": found[-1].seq if found else wish.after,
                "dropped": dropped,
            }
        )


def create_control(pagerduty: PagerDuty) -> ASGIApp:
    """The control routes as an application of their own."""
    return Starlette(
        routes=_Control(pagerduty).routes(),
        exception_handlers=handlers("docs/fakes_pagerduty.md", TooManyFaults),
    )


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
