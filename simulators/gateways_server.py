"""`python -m simulators gateways`: the fake gateways for those who do not speak Python.

The routes are in `docs/contracts.md`. Sends to this machine only; runs are bounded, and end with the process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.control import complaint, handlers, refusal
from simulators.deliveries import Runs, TooManyRuns
from simulators.gateways import UnknownName, Webhook, _catalogue, known
from simulators.gateways._switches import switches
from simulators.gateways._tamper import NothingToTamper, chunks, without_framing
from simulators.loopback import NotLoopback
from simulators.sentlog import Answer, SentLog
from simulators.wishes import ONE, Maker, Send

Clock = Callable[[], float]
SEND_TIMEOUT_S = 10.0
_WORD = re.compile(r"[a-z][a-z_]{0,39}").fullmatch


def send(webhook: Webhook) -> Answer:
    """POST it, as vendors do: no proxy, no redirect followed.

    Raises:
        requests.RequestException: nobody answered in time.
    """
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment would see what must stay on this machine
        pieces = chunks(webhook)
        answer = session.post(
            webhook.url,
            data=webhook.body if pieces is None else iter(pieces),
            headers=without_framing(webhook),
            timeout=SEND_TIMEOUT_S,
            allow_redirects=False,
        )
        return Answer(answer.status_code, answer.elapsed.total_seconds() * 1000, _word(answer.content))


def _word(body: bytes) -> str | None:
    """`status` or `error.code` of a JSON answer, if it is one plain word: an answer might quote a person."""
    try:
        told = json.loads(body[:4096])
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    error = told.get("error")
    word = error.get("code") if isinstance(error, dict) else told.get("status")
    return word if isinstance(word, str) and _WORD(word) else None


async def _aside(call: Callable[[], Answer]) -> Answer:
    """The call's answer or exception, from a thread that dies with the process.

    A thread pool would be joined at exit: SIGTERM would then wait for a target that does not answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def settle(result: Answer | None, error: Exception | None) -> None:
        if answer.done():  # whoever asked is gone
            return
        if error is not None:
            answer.set_exception(error)
        elif result is not None:
            answer.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except requests.RequestException as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True).start()
    return await answer


@cache
def catalogue() -> dict[str, Any]:
    """All gateways, events and tamperings, as `GET /_golive/events` tells them; made once."""
    return {
        "gateways": [
            {
                "name": fake.name,
                "dialects": fake.dialects,
                "authenticates_body": dict(fake.authenticates_body),
                "does_not_imitate": fake.does_not_imitate,
                "switches": [
                    {"name": one.name, "default": one.default, "others": one.others, "about": one.about}
                    for one in switches(fake)
                    if not one.is_secret
                ],
            }
            for fake in known().values()
        ],
        "events": [
            {
                "gateway": row.gateway,
                "dialect": row.dialect,
                "name": row.event.name,
                "vendor_name": row.event.vendor_name,
                "outcome": row.event.outcome,
                "partial": row.event.partial,
                "about": row.event.about,
                "statuses": row.statuses,
            }
            for row in _catalogue.events()
        ],
        "tamperings": [
            {
                "name": row.name,
                "does": row.does,
                "expected": {f"{name}/{dialect}": right for (name, dialect), right in row.expected.items()},
            }
            for row in _catalogue.tamperings()
        ],
    }


class _Courier:
    """Sends what is wished for, and remembers it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.log = SentLog()
        self.runs = Runs(clock, self.log)

    async def deliver(self, wish: Send, *, again_of: int | None = None) -> JSONResponse:
        """Render, sign, send; the answer for whoever asked. A run is begun, and answered before it has ended."""
        try:
            maker = Maker(wish, self._clock)
            if wish.is_run:
                return JSONResponse(self.runs.begin(maker).to_json(), 202)
            signed_at_s = maker.signed_at_s(0) if again_of is None else int(self._clock())
            webhook = (maker.slots, maker.make(ONE, signed_at_s=signed_at_s))[1]
        except (ValueError, LookupError) as error:
            return refused(error)
        answer, failure = None, None
        began_s = self._clock()
        self.log.on_the_way += 1
        try:
            answer = await _aside(lambda: send(webhook))
        except requests.RequestException as error:
            failure = type(error).__name__
        finally:
            self.log.on_the_way -= 1
        self.log.add(
            at_s=began_s,
            signed_at_s=signed_at_s,
            wish=maker.alone(ONE),
            sale_id=maker.sale_id(ONE),
            again_of=again_of,
            answer=answer,
            failure=failure,
        )
        if answer is None:
            return refusal(502, "unreachable", f"Nobody answered {_place(wish.to)}: {failure}.")
        told = {"status": answer.status, "sale_id": maker.sale_id(ONE), "elapsed_ms": round(answer.elapsed_ms, 3)}
        return JSONResponse({**told, "seed": wish.seed})


def _place(url: str) -> str:
    """Host and port: the rest of an address may hold what is nobody's business."""
    parts = urlsplit(url)
    return f"on {parts.hostname}, port {parts.port or (443 if parts.scheme == 'https' else 80)}"


def refused(error: Exception) -> JSONResponse:
    """400 for a wish that cannot be granted."""
    return refusal(400, _CODES.get(type(error), "bad_request"), str(error.args[0]))


class _Face:
    """The HTTP face."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._courier = _Courier(clock)

    def routes(self) -> list[Route]:
        return [
            Route("/_golive/health", self.health),
            Route("/_golive/events", self.events),
            Route("/_golive/send", self.send_one, methods=["POST"]),
            Route("/_golive/sent", self.sent),
            Route("/_golive/sent/{seq:int}/again", self.again, methods=["POST"]),
            Route("/_golive/runs", self.runs),
            Route("/_golive/runs/{number:int}", self.run, methods=["GET", "DELETE"]),
            Route("/_golive/configurations", self.configurations),
            Route("/_golive/configurations/{number:int}/on", self.switch_on, methods=["POST"]),
        ]

    async def health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"name": "gateways", "now_s": self._clock()})

    async def events(self, _request: Request) -> JSONResponse:
        return JSONResponse(catalogue())

    async def send_one(self, request: Request) -> JSONResponse:
        try:
            wish = Send.model_validate_json(await request.body())
        except ValidationError as error:
            return refusal(400, "bad_request", complaint(error))
        return await self._courier.deliver(wish)

    async def sent(self, request: Request) -> JSONResponse:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            return refusal(400, "bad_request", "after: a whole number, from 0.")
        told = self._courier.log.told(int(after))
        return JSONResponse({**told, "switched_off": self._courier.runs.switched_off()})

    async def again(self, request: Request) -> JSONResponse:
        found = self._courier.log.find(request.path_params["seq"])
        if found is None:
            return refusal(404, "unknown_webhook", "No such webhook is remembered; GET /_golive/sent tells which are.")
        return await self._courier.deliver(found.wish, again_of=found.seq)

    async def runs(self, _request: Request) -> JSONResponse:
        return JSONResponse({"runs": self._courier.runs.to_json()})

    async def run(self, request: Request) -> JSONResponse:
        found = self._courier.runs.find(request.path_params["number"])
        if found is None:
            return refusal(404, "unknown_run", "No such run is remembered; GET /_golive/runs tells which are.")
        if request.method == "DELETE":
            await found.cancel()
        return JSONResponse(found.to_json())

    async def configurations(self, _request: Request) -> JSONResponse:
        return JSONResponse({"configurations": self._courier.runs.configurations()})

    async def switch_on(self, request: Request) -> JSONResponse:
        told = self._courier.runs.switch_on(request.path_params["number"])
        if told is None:
            return refusal(404, "unknown_configuration", "No such one; GET /_golive/configurations tells which are.")
        return JSONResponse(told)


def create_app(clock: Clock) -> ASGIApp:
    """The HTTP face; `clock` gives seconds since 1970."""
    return Starlette(routes=_Face(clock).routes(), exception_handlers=handlers("docs/contracts.md"))


_CODES: Mapping[type[Exception], str] = {
    UnknownName: "unknown_name",
    NotLoopback: "not_loopback",
    NothingToTamper: "nothing_to_tamper",
    TooManyRuns: "too_many_runs",
}


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`."""
    offset_s = float(args.clock_offset_s)
    return create_app(lambda: time.time() + offset_s)
