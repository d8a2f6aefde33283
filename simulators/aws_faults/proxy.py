"""The man in the middle: an HTTP server in front of an AWS endpoint, and a control port beside it.

Both listen on loopback, on ports that the kernel picks; standard output says where, in one JSON line. The control port:

| route | |
|---|---|
| `PUT /upstream {"url"}` | who does the work |
| `PUT /listening {"listening": false}` | nobody listens any more: connections are refused, open ones reset |
| `POST /faults {"fault", "strikes", "probability", "seed", …}` | arm one; answers `{"id"}` |
| `DELETE /faults/{id}` | take it away; answers `{"struck": how often}` |
| `DELETE /faults` | take all away, and listen |
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import struct
import sys
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from simulators.arming import BadFault
from simulators.aws_faults.calls import Call, Reply
from simulators.aws_faults.faults import Arsenal, Context, make
from simulators.control import complaint
from simulators.loopback import is_loopback

_LOOPBACK = "127.0.0.1"
_MAX_BODY_BYTES = 2 * 1024 * 1024
"""SQS takes 1 MiB in a batch."""
_ANSWER_S = 60.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends a reset instead of a farewell
_MOST_MESSAGES = 10


class _FaultInput(BaseModel):
    """Whatever else it holds are the parameters of the fault."""

    model_config = ConfigDict(extra="allow")
    fault: str
    strikes: int | None = None
    probability: float = 1.0
    seed: int = 0


class _Upstream(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str


class _Listening(BaseModel):
    model_config = ConfigDict(extra="forbid")
    listening: bool


class Proxy:
    """One endpoint in front of another."""

    def __init__(self, upstream: str = "") -> None:
        self.arsenal = Arsenal()
        self._upstream = upstream.rstrip("/")
        self._keeper = _bound(0)
        """Holds the port while nobody listens on it, so that it is refused and not somebody else's."""
        self._site: web.SockSite | None = None

    @property
    def url(self) -> str:
        """Where the target finds its AWS."""
        return f"http://{_LOOPBACK}:{self._keeper.getsockname()[1]}"

    async def open(self) -> str:
        """Listen; the URL of the control port."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
            auto_decompress=False,
            trust_env=False,
        )
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await self._runner.setup()
        await self.listen(True)
        control = web.Application()
        control.router.add_route("PUT", "/upstream", self._set_upstream)
        control.router.add_route("PUT", "/listening", self._set_listening)
        control.router.add_route("POST", "/faults", self._arm)
        control.router.add_route("DELETE", "/faults", self._clear)
        control.router.add_route("DELETE", "/faults/{id}", self._disarm)
        self._control = web.AppRunner(control, access_log=None)
        await self._control.setup()
        site = web.TCPSite(self._control, _LOOPBACK, 0)
        await site.start()
        return f"http://{_LOOPBACK}:{self._control.addresses[0][1]}"

    async def close(self) -> None:
        """Answer nobody any more."""
        await self.listen(False)
        await self._control.cleanup()
        await self._runner.cleanup()
        await self._session.close()
        self._keeper.close()

    async def listen(self, listening: bool) -> None:
        """Begin to listen, or stop, and reset every open connection."""
        if listening and self._site is None:
            listener = _bound(self._keeper.getsockname()[1])
            self._site = web.SockSite(self._runner, listener, backlog=512)
            await self._site.start()
        elif not listening and self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            for connection in self._runner.server.connections if self._runner.server else ():
                _reset(connection.transport)

    # -- what is passed on -----------------------------------------------------------------------------------

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        call = Call.read(request.headers, await request.read())

        async def forward(asked: Call) -> Reply:
            return await self._forward(request, asked)

        reply = self._copy_of(call) or await self._worked(call, forward)
        if reply.cut:
            _reset(request.transport)
            return web.Response(status=500)  # goes nowhere
        kept = [one for one in reply.headers if one[0].lower() not in _HOP_BY_HOP]
        return web.Response(status=reply.status, body=reply.body, headers=kept)

    async def _worked(self, call: Call, forward: Any) -> Reply:
        struck = self.arsenal.strike(call)
        if struck is None:
            found: Reply = await forward(call)
            return found
        context = Context(call=call, forward=forward, rng=struck.rng, copies=self.arsenal.copies)
        return await struck.fault.act(context)

    def _copy_of(self, call: Call) -> Reply | None:
        """What was delivered before and is delivered again, at once."""
        if call.operation != "ReceiveMessage" or not call.is_json:
            return None
        wanted = call.document.get("MaxNumberOfMessages", 1)
        most = min(wanted, _MOST_MESSAGES) if isinstance(wanted, int) else 1
        messages = self.arsenal.copies.take(call.queue, most)
        if not messages:
            return None
        kind = (("Content-Type", "application/x-amz-json-1.0"),)
        return Reply(status=200, body=json.dumps({"Messages": messages}).encode(), headers=kind)

    async def _forward(self, request: web.Request, call: Call) -> Reply:
        # With the caller's Host: SQS builds the URLs of its queues from it, and they must lead through here.
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        try:
            async with self._session.request(
                request.method,
                self._upstream + request.raw_path,
                data=call.body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                return Reply(status=answer.status, body=await answer.read(), headers=tuple(answer.headers.items()))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            sys.stderr.write(f"the AWS endpoint did not answer: {type(error).__name__}\n")
            return call.error(502, "BadGateway", "the AWS endpoint behind the faults does not answer")

    # -- control ---------------------------------------------------------------------------------------------

    async def _set_upstream(self, request: web.Request) -> web.Response:
        url = (await _wish(request, _Upstream)).url
        if not is_loopback(urlsplit(url).hostname or ""):
            return _refusal("upstream must be on this machine")
        self._upstream = url.rstrip("/")
        return web.json_response({})

    async def _set_listening(self, request: web.Request) -> web.Response:
        await self.listen((await _wish(request, _Listening)).listening)
        return web.json_response({})

    async def _arm(self, request: web.Request) -> web.Response:
        wish = await _wish(request, _FaultInput)
        try:
            name = self.arsenal.arm(
                make(wish.fault, wish.model_extra or {}),
                probability=wish.probability,
                strikes=wish.strikes,
                seed=wish.seed,
            )
        except BadFault as error:
            return _refusal(str(error))
        return web.json_response({"id": name})

    async def _disarm(self, request: web.Request) -> web.Response:
        struck = self.arsenal.disarm(request.match_info["id"])
        return (
            _refusal("no such fault is armed", status=404) if struck is None else web.json_response({"struck": struck})
        )

    async def _clear(self, _request: web.Request) -> web.Response:
        self.arsenal.clear()
        await self.listen(True)
        return web.json_response({})


_Wish = TypeVar("_Wish", bound=BaseModel)


async def _wish(request: web.Request, kind: type[_Wish]) -> _Wish:
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        told = json.dumps({"error": {"code": "bad_request", "message": complaint(error)}})
        raise web.HTTPBadRequest(text=told, content_type="application/json") from None


def _refusal(message: str, *, status: int = 400) -> web.Response:
    return web.json_response({"error": {"code": "bad_request", "message": message}}, status=status)


def _bound(port: int) -> socket.socket:
    """A socket that holds the port together with others of ours, and does not listen yet."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((_LOOPBACK, port))
    return made


def _reset(transport: Any) -> None:
    if transport is None or transport.is_closing():
        return
    line = transport.get_extra_info("socket")
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


async def _serve(upstream: str) -> None:
    proxy = Proxy(upstream)
    control = await proxy.open()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    told = {"name": "aws faults", "url": proxy.url, "control": control, "pid": os.getpid()}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await over.wait()
    await proxy.close()


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m simulators.aws_faults", description="Faults of an AWS endpoint.")
    parser.add_argument("--upstream", default="", help="who does the work; else told over the control port")
    asyncio.run(_serve(parser.parse_args().upstream))
    return 0
