"""The wire under a fake's ASGI application: bodies with a limit, slow ones, connections cut on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httptools
import orjson
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

TRANSPORT = "golive.transport"
_CUT_LIMIT_S = 5.0
_PIECES = 10
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends a reset instead of a farewell


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An HTTP answer, and what is done to the wire with it."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json; charset=UTF-8"
    cut: bool = False
    """The connection is reset; nothing of the body is sent."""
    over_s: float = 0.0
    """The body goes out in ten pieces over that many seconds."""
    cut_after_bytes: int | None = None
    """That many bytes of the body go out under the full Content-Length, then the connection is closed."""


class BodyTooLarge(Exception):
    """More bytes came than the limit allows; the rest was not read."""


Headers = Sequence[tuple[bytes, bytes]]
Answer = tuple[Reply, Headers]


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's own protocol; it also tells the application its transport, so that it can be cut."""

    def on_message_begin(self) -> None:
        """A request begins: put the transport into its scope."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {TRANSPORT: self.transport}


class AtOnce(Protocol):
    """An application that may answer a POST without ASGI's tasks and messages, when it has nothing to wait for."""

    @property
    def at_once_bytes(self) -> int:
        """The largest body that it may answer so; a larger one is not waited for."""
        ...

    def at_once(self, raw_path: bytes, query: bytes, headers: Headers, body: bytes) -> Answer | None:
        """The answer and the headers before its own; None: ask by ASGI, nothing was done."""
        ...


class DirectProtocol(CuttableProtocol):
    """Asks an `AtOnce` application first; what it does not answer takes uvicorn's own way."""

    _pieces: list[bytes] | None = None
    """The body so far, while the answer may yet be direct."""
    _held_bytes = 0

    def on_headers_complete(self) -> None:
        """A POST that nobody stands before in the line may be answered at once."""
        if (
            self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
        ):
            self._pieces, self._held_bytes = [], 0
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a small body; a large one is better read piece by piece."""
        if self._pieces is None:
            super().on_body(body)
            return
        self._pieces.append(body)
        self._held_bytes += len(body)
        if self._held_bytes > cast("AtOnce", self.app).at_once_bytes:
            self._go_round()

    def on_message_complete(self) -> None:
        """The request is whole: answer it, or let ASGI do so."""
        if self._pieces is not None:
            url = httptools.parse_url(self.url)
            app = cast("AtOnce", self.app)
            found = app.at_once(url.path, url.query or b"", self.headers, b"".join(self._pieces))
            if found is not None:
                self._pieces = None
                self.transport.write(_whole(*found, self.server_state.default_headers))
                self.on_response_complete()
                return
            self._go_round()
        super().on_message_complete()

    def _go_round(self) -> None:
        """Begin the request anew, uvicorn's way, with what has come of its body."""
        pieces, self._pieces = self._pieces or [], None
        super().on_headers_complete()
        for piece in pieces:
            super().on_body(piece)


def _whole(reply: Reply, headers: Headers, first: Headers) -> bytes:
    """An answer as bytes, its headers in the order in which ASGI would send them."""
    lines = [STATUS_LINE[reply.status]]
    own = ((b"content-type", reply.content_type), (b"content-length", str(len(reply.body)).encode()))
    for name, value in (*first, *own, *headers, *reply.headers):
        lines += (name, b": ", value, b"\r\n")
    lines += (b"\r\n", reply.body)
    return b"".join(lines)


async def read(receive: Receive, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: it is longer than `limit_bytes`.
        ConnectionAbortedError: the client went away before its end.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit_bytes:
            raise BodyTooLarge
        return body
    chunks = bytearray()
    while message["type"] == "http.request":
        chunks += message.get("body", b"")
        if len(chunks) > limit_bytes:
            raise BodyTooLarge
        if not message.get("more_body"):
            return bytes(chunks)
        message = await receive()
    raise ConnectionAbortedError


async def wait(receive: Receive, seconds: float) -> None:
    """Wait that long, or until the client goes away; the body must have been read."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


async def answer(
    scope: Scope, receive: Receive, send: Send, reply: Reply, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Send the reply, `headers` before its own, or do to the connection what the reply says."""
    if reply.cut:
        _transport(scope, reset=True).abort()
        await wait(receive, _CUT_LIMIT_S)
        return
    length = (b"content-length", str(len(reply.body)).encode())
    kind = (b"content-type", reply.content_type)
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [kind, length, *headers, *reply.headers],
        }
    )
    if reply.over_s:
        await _dribble(receive, send, reply)
        return
    if reply.cut_after_bytes is None:
        await send({"type": "http.response.body", "body": reply.body})
        return
    await send({"type": "http.response.body", "body": reply.body[: reply.cut_after_bytes], "more_body": True})
    _transport(scope, reset=False).close()
    await wait(receive, _CUT_LIMIT_S)


async def _dribble(receive: Receive, send: Send, reply: Reply) -> None:
    """The body in ten pieces, as slowly as the reply says."""
    step = max(1, -(-len(reply.body) // _PIECES))
    for start in range(0, len(reply.body), step):
        await wait(receive, reply.over_s / _PIECES)
        piece = reply.body[start : start + step]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def answer_json(send: Send, status: int, value: object) -> None:
    """A plain JSON answer, for the control routes."""
    body = orjson.dumps(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _transport(scope: Scope, *, reset: bool) -> asyncio.Transport:
    """The connection itself; `reset` prepares it to end without a farewell."""
    transport: asyncio.Transport | None = (scope.get("extensions") or {}).get(TRANSPORT)
    if transport is None:
        message = "this server does not let its connections be cut: serve with http=CuttableProtocol"
        raise RuntimeError(message)
    if reset and not transport.is_closing():  # the client may have gone first, and its socket with it
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    return transport
