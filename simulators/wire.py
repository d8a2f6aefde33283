"""The wire under a fake's ASGI application: bodies with a limit, slow ones, connections cut on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

import httptools
import msgspec
import orjson
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

TRANSPORT = "golive.transport"
_CUT_LIMIT_S = 5.0
_PIECES = 10
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends a reset instead of a farewell


class Reply(msgspec.Struct, kw_only=True, frozen=True):
    """An HTTP answer, and what is done to the wire with it.

    A struct, for a frozen dataclass takes two microseconds longer to make, on each request of a load run.
    """

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
Answer = tuple[Reply, bytes]
"""A reply, and the headers before its own as they go on the wire: `name: value`, each with its end of line."""


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


class _Head(NamedTuple):
    """What the parser made of a request's head."""

    path: bytes
    query: bytes
    headers: Headers
    body_bytes: int


_END_OF_HEAD = b"\r\n\r\n"
_HEADS: dict[bytes, _Head] = {}
"""Heads that were answered at once, as they came. A client sends the same few again and again."""
_MOST_HEADS, _LONGEST_HEAD_BYTES = 512, 2048


def _remember(came: bytes, head: _Head) -> None:
    """Keep a head whose request came whole and alone, and not in chunks: those are longer than their body."""
    end = came.find(_END_OF_HEAD)
    if not 0 < end <= _LONGEST_HEAD_BYTES or len(came) != end + len(_END_OF_HEAD) + head.body_bytes:
        return
    if len(_HEADS) >= _MOST_HEADS:
        _HEADS.clear()
    _HEADS[came[:end]] = head


class DirectProtocol(CuttableProtocol):
    """Asks an `AtOnce` application first; what it does not answer takes uvicorn's own way."""

    _pieces: list[bytes] | None = None
    """The body so far, while the answer may yet be direct."""
    _held_bytes = 0
    _came = b""
    """What came in one piece while no request was under way."""
    _under_way = False
    """The parser has begun with a request."""
    _answered_at_s = 0.0
    """When a known head was last answered, by the loop's clock."""

    def data_received(self, data: bytes) -> None:
        """A whole request whose head came before, byte for byte, needs no parser: it would say the same again."""
        if not self._under_way:
            if self._answer_known(data):
                return
            self._came = data
        super().data_received(data)

    def _answer_known(self, data: bytes) -> bool:
        end = data.find(_END_OF_HEAD, 0, _LONGEST_HEAD_BYTES + len(_END_OF_HEAD))
        head = _HEADS.get(data[:end]) if end > 0 else None
        if (
            head is None
            or len(data) != end + len(_END_OF_HEAD) + head.body_bytes
            or self.flow.write_paused
            or not (self.cycle is None or self.cycle.response_complete)
        ):
            return False
        app = cast("AtOnce", self.app)
        found = app.at_once(head.path, head.query, head.headers, data[end + len(_END_OF_HEAD) :])
        if found is None:
            return False
        self.transport.write(_whole(*found, self.server_state.default_headers))
        self.server_state.total_requests += 1
        self._answered_at_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._listen_on()
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Close, unless a known head was answered meanwhile: it does not set the timer anew each time."""
        if self.loop.time() - self._answered_at_s >= self.timeout_keep_alive:
            super().timeout_keep_alive_handler()
        else:
            self._listen_on()

    def _listen_on(self) -> None:
        at_s = self._answered_at_s + self.timeout_keep_alive
        self.timeout_keep_alive_task = self.loop.call_at(at_s, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._under_way = True
        super().on_message_begin()

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
        self._under_way = False
        came, self._came = self._came, b""
        if self._pieces is not None:
            url = httptools.parse_url(self.url)
            app = cast("AtOnce", self.app)
            head = _Head(url.path, url.query or b"", tuple(self.headers), self._held_bytes)
            found = app.at_once(head.path, head.query, head.headers, b"".join(self._pieces))
            if found is not None:
                self._pieces = None
                _remember(came, head)
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


def as_lines(headers: Headers) -> bytes:
    """Headers as they go on the wire, each with its end of line."""
    return b"".join([b"%b: %b\r\n" % one for one in headers])


#: The same, where they change once a second.
_known_lines = lru_cache(maxsize=16)(as_lines)


def _whole(reply: Reply, lines: bytes, first: Headers) -> bytes:
    """An answer as bytes, its headers in the order in which ASGI would send them."""
    return b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
        STATUS_LINE[reply.status],
        _known_lines(tuple(first)),
        reply.content_type,
        len(reply.body),
        lines,
        as_lines(reply.headers),
        reply.body,
    )


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
