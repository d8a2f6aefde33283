"""The HTTP face of the fake CloudWatch: PutMetricData, GetMetricStatistics and DescribeAlarms in three languages, and
control routes.

| route | |
|---|---|
| `GET /_golive/health` | `{"name", "now_s"}` |
| `GET /_golive/datapoints?after=N` | what was put after that number, at most 20,000: `{"datapoints": […], "next": N}` |
| `GET /_golive/calls?after=N` | each call, taken or not: `{"calls": [{"status", "data", "dimensions", "at_s"}], …}` |
| `PUT /_golive/alarms {"alarms": [ToldAlarm]}` | what DescribeAlarms says from now on; whoever evaluates them tells |
| `PUT /_golive/away {"how"}` | `refuse` cuts connections, `error` is 503, `hang` never answers; empty: it is back |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators import wire
from simulators.cloudwatch import reading, wires
from simulators.cloudwatch.reading import ToldAlarm
from simulators.cloudwatch.rules import Datapoint, Refused, datapoints
from simulators.control import handlers
from simulators.wire import Reply

PREFIX = "/_golive/"
_MOST_AT_ONCE = 20_000
_HANG_S = 120.0

How = Literal["", "refuse", "error", "hang"]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Since(_Input):
    after: Annotated[int, Field(ge=0)] = 0


class _Away(_Input):
    how: How


class _Alarms(_Input):
    alarms: list[ToldAlarm]


class Store:
    """What was put, oldest first, and who tried to."""

    def __init__(self, *, now_s: Callable[[], float], keep: int) -> None:
        self.now_s = now_s
        self.away: How = ""
        self.alarms: list[ToldAlarm] = []
        """As their evaluator last told them."""
        self._points: deque[tuple[int, Datapoint]] = deque(maxlen=keep)
        self._calls: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=10_000)
        self._number = 0

    def put(self, points: list[Datapoint]) -> None:
        """Keep them."""
        for one in points:
            self._number += 1
            self._points.append((self._number, one))

    def points(self) -> Iterator[Datapoint]:
        """All that is kept, oldest first."""
        return (one for _, one in self._points)

    def note(self, *, status: int, points: list[Datapoint]) -> None:
        """A call, with the dimensions of what it told (who it was), and the newest time in it."""
        self._number += 1
        told = sorted({pair for one in points for pair in one.dimensions})
        newest_s = max((one.at_s for one in points), default=None)
        call = {"status": status, "data": len(points), "dimensions": told, "at_s": newest_s}
        self._calls.append((self._number, call))

    def points_after(self, after: int) -> tuple[list[Datapoint], int]:
        """At most so many, and the number of the last one."""
        found = [pair for pair in self._points if pair[0] > after][:_MOST_AT_ONCE]
        return [one for _, one in found], found[-1][0] if found else after

    def calls_after(self, after: int) -> tuple[list[Mapping[str, Any]], int]:
        """The calls likewise."""
        found = [pair for pair in self._calls if pair[0] > after][:_MOST_AT_ONCE]
        return [one for _, one in found], found[-1][0] if found else after


def create_app(store: Store) -> ASGIApp:
    """The application. Serve it with `http=wire.CuttableProtocol`, or it cannot be away."""
    control = _control(store)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PREFIX):
            await control(scope, receive, send)
        else:
            await _serve(store, scope, receive, send)

    return app


async def _serve(store: Store, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        body = await wire.read(receive, wires.MAX_BYTES)
    except wire.BodyTooLarge:
        store.note(status=413, points=[])
        told = wires.refused(
            wires.language(headers), 413, "RequestEntityTooLarge", f"More than {wires.MAX_BYTES} bytes."
        )
        await _answer(scope, receive, send, 413, told)
        return
    except ConnectionAbortedError:
        return
    status, told, points = _worked(store, scope["path"], headers, body)
    if store.away:
        status = 503 if store.away == "error" else 0
    store.note(status=status, points=points)
    if store.away == "hang":
        await wire.wait(receive, _HANG_S)
    if store.away in ("refuse", "hang"):
        await wire.answer(scope, receive, send, Reply(status=0, body=b"", cut=True), [])
        return
    if store.away == "error":
        told = wires.refused(wires.language(headers), 503, "ServiceUnavailable", "CloudWatch is away.")
    elif status == 200:
        store.put(points)
    await _answer(scope, receive, send, status, told)


def _worked(
    store: Store, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, tuple[bytes, str, Mapping[str, str]], list[Datapoint]]:
    """Status, answer, and what there is to keep."""
    language = wires.language(headers)
    try:
        asked = wires.read(path, headers, body)
        points, answer = _done(store, asked)
    except wires.Unreadable as error:
        return 400, wires.refused(language, 400, "MalformedInput", str(error)), []
    except Refused as error:
        return 400, wires.refused(language, 400, error.code, str(error)), []
    return 200, wires.done(language, asked.action, answer), points


def _done(store: Store, asked: wires.Asked) -> tuple[list[Datapoint], Mapping[str, Any]]:
    """What there is to keep, and what is answered. Raises Refused."""
    match asked.action:
        case "PutMetricData":
            return datapoints(asked.given, now_s=store.now_s()), {}
        case "DescribeAlarms":
            return [], reading.describe_alarms(asked.given, store.alarms)
        case "GetMetricStatistics":
            return [], reading.metric_statistics(asked.given, store.points())
        case _:
            known = "PutMetricData, GetMetricStatistics and DescribeAlarms"
            raise Refused("InvalidAction", f"This endpoint takes {known} and nothing else, not {asked.action}.")


async def _answer(
    scope: Scope, receive: Receive, send: Send, status: int, told: tuple[bytes, str, Mapping[str, str]]
) -> None:
    body, kind, headers = told
    pairs = tuple((name.encode(), value.encode()) for name, value in headers.items())
    await wire.answer(
        scope, receive, send, Reply(status=status, body=body, headers=pairs, content_type=kind.encode()), []
    )


def _control(store: Store) -> ASGIApp:
    async def health(_: Request) -> Response:
        return JSONResponse({"name": "cloudwatch", "now_s": store.now_s()})

    async def points(request: Request) -> Response:
        found, last = store.points_after(_Since.model_validate(dict(request.query_params)).after)
        return _json({"datapoints": [one.to_json() for one in found], "next": last})

    async def calls(request: Request) -> Response:
        found, last = store.calls_after(_Since.model_validate(dict(request.query_params)).after)
        return _json({"calls": found, "next": last})

    async def away(request: Request) -> Response:
        store.away = _Away.model_validate_json(await request.body()).how
        return JSONResponse({"how": store.away})

    async def alarms(request: Request) -> Response:
        store.alarms = _Alarms.model_validate_json(await request.body()).alarms
        return JSONResponse({"alarms": len(store.alarms)})

    return Starlette(
        routes=[
            Route("/_golive/alarms", alarms, methods=["PUT"]),
            Route("/_golive/health", health),
            Route("/_golive/datapoints", points),
            Route("/_golive/calls", calls),
            Route("/_golive/away", away, methods=["PUT"]),
        ],
        exception_handlers=handlers("simulators/cloudwatch/app.py"),
    )


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
