"""The HTTP face of the fake PagerDuty: which bytes belong to which endpoint, and what a fault does to the wire.

Plain ASGI. What is answered is decided in `calls` and `control`; here is only the wire.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators import wire
from simulators.pagerduty import calls
from simulators.pagerduty.control import PREFIX, create_control
from simulators.pagerduty.errors import Refusal, Refused
from simulators.pagerduty.faults import FAULTS, Armed, Endpoint
from simulators.pagerduty.inbox import Call
from simulators.pagerduty.state import PagerDuty
from simulators.wire import Reply

_SNS = re.compile(r"/integration/([^/]{1,100})/enqueue/?|/x-ere/([^/]{1,100})/?").fullmatch
_EVENTS = re.compile(r"/v2/enqueue/?").fullmatch
_JSON = b"application/json"
_CLOSE = (b"connection", b"close")
_CUT = Reply(status=0, body=b"", cut=True)

Work = Callable[[bytes, Call], Awaitable[calls.Answer]]


def create_app(pagerduty: PagerDuty) -> ASGIApp:
    """The application. Serve it with `http=wire.CuttableProtocol`, or faults cannot cut connections."""
    control = create_control(pagerduty)
    face = _Face(pagerduty)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PREFIX):
            await control(scope, receive, send)
        else:
            await face.serve(scope, receive, send)

    return app


class _Face:
    """The endpoints of one fake."""

    def __init__(self, pagerduty: PagerDuty) -> None:
        self._pagerduty = pagerduty
        self._later: set[asyncio.Task[None]] = set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its path to its answer."""
        pagerduty = self._pagerduty
        sns = _SNS(scope["path"])
        if scope["method"] != "POST" or not (sns or _EVENTS(scope["path"])):
            await wire.answer_json(send, 404, {"status": "not found", "message": "Not Found"})
            return
        endpoint: Endpoint = "sns" if sns else "events_v2"

        async def work(body: bytes, call: Call) -> calls.Answer:
            if sns:
                return await calls.sns_message(pagerduty, sns[1] or sns[2], body, call)
            return await calls.events_v2(pagerduty, body, call)

        call = Call(at_s=pagerduty.now_s(), endpoint=endpoint, status=0, verdict="refused")
        try:
            body = await wire.read(receive, pagerduty.switches.max_body_bytes)
        except wire.BodyTooLarge:
            refused = Refused(Refusal.of("body_too_large", limit=pagerduty.switches.max_body_bytes))
            answer = _refuse(call, refused)
            await pagerduty.inbox.file(call)
            await wire.answer(scope, receive, send, _reply(answer), [_CLOSE])  # the rest of it is not read
            return
        except ConnectionAbortedError:
            return
        fault = pagerduty.arsenal.strike(endpoint, call.at_s)
        if fault is None:
            await self._finish(call, await _honest(work, body, call), (scope, receive, send))
        else:
            await self._fail(fault, work, body, call, (scope, receive, send))

    async def _finish(self, call: Call, answer: calls.Answer, http: tuple[Scope, Receive, Send]) -> None:
        """File the call and answer it; when something is left to do, answer, do it and file then."""
        scope, receive, send = http
        if answer.later is None:
            await self._pagerduty.inbox.file(call)
        else:
            self._start(call, answer.later)
        await wire.answer(scope, receive, send, _reply(answer), [])

    def _start(self, call: Call, later: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await later()
            await self._pagerduty.inbox.file(call)

        task = asyncio.create_task(run())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _fail(self, armed: Armed, work: Work, body: bytes, call: Call, http: tuple[Scope, Receive, Send]) -> None:
        """Do to the call what the fault does; it is filed before the client can know of it."""
        fault, (scope, receive, send) = FAULTS[armed.name], http
        call.fault, call.verdict = armed.name, "failed"
        if fault.works:
            answer = await _honest(work, body, call)
            call.status = 0
            if answer.later is not None:
                self._start(call, answer.later)
            else:
                await self._pagerduty.inbox.file(call)
            await wire.answer(scope, receive, send, _CUT, [])
            return
        refused = fault.refusal()
        call.status = refused.status if refused else 0
        await self._pagerduty.inbox.file(call)
        if fault.hangs:
            await wire.wait(receive, armed.hang_s)
        reply = _CUT if refused is None else _reply(calls.Answer(refused.status, refused.body()))
        await wire.answer(scope, receive, send, reply, [])


async def _honest(work: Work, body: bytes, call: Call) -> calls.Answer:
    """What PagerDuty would answer; `call` is filled."""
    try:
        answer = await work(body, call)
    except Refused as error:
        return _refuse(call, error)
    call.status = answer.status
    return answer


def _refuse(call: Call, error: Refused) -> calls.Answer:
    call.status, call.verdict = error.status, "refused"
    call.reason = "; ".join(reason.text for reason in error.reasons[:10])
    return calls.Answer(error.status, error.body())


def _reply(answer: calls.Answer) -> Reply:
    return Reply(status=answer.status, body=orjson.dumps(answer.body), content_type=_JSON)
