"""The wire under a fake's ASGI application: bodies with a limit, slow ones, connections cut on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's own protocol; it also tells the application its transport, so that it can be cut."""

    def on_message_begin(self) -> None:
        """A request begins: put the transport into its scope."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {TRANSPORT: self.transport}


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
