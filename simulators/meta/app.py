"""The HTTP face of the fake Meta: which bytes belong to which edge, and the headers Graph sends with every answer.

Plain ASGI: the events edge is on the path of every load run. What it answers is decided in `events`, `nodes` and
`control`; here is only the wire.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators import wire
from simulators.meta import browser, decode, nodes
from simulators.meta.control import PREFIX, create_control
from simulators.meta.errors import GraphError
from simulators.meta.events import EventsCall, answer_plain
from simulators.meta.faults import Reply
from simulators.meta.plain import plain
from simulators.meta.state import Meta
from simulators.meta.versions import LATEST, Served, served

_EVENTS = re.compile(r"/([^/]+)/events/?").fullmatch
_BROWSER = re.compile(r"/tr/?").fullmatch
_PIXEL = re.compile(r"/(\d+)/?").fullmatch
_CRASHES = re.compile(r"/[^/]+/instruments/?").fullmatch
_REVISION = b"1029384756"
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
    (b"expires", b"Sat, 01 Jan 2000 00:00:00 GMT"),
    (b"access-control-allow-origin", b"*"),
    (b"strict-transport-security", b"max-age=15552000; preload"),
    (b"x-fb-rev", _REVISION),
)
_ALWAYS_LINES = wire.as_lines(_ALWAYS)
_CLOSE = (b"connection", b"close")


def create_app(meta: Meta) -> ASGIApp:
    """The application. Serve it with `http=wire.DirectProtocol`, or faults cannot cut connections."""
    return _Graph(meta)


class _Graph:
    """Graph's HTTP face over one state."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._control = create_control(meta)
        self.at_once_bytes = min(meta.switches.max_body_bytes, 256 * 1024)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: anything."""
        if scope["type"] != "http" or scope["path"].startswith(PREFIX):
            await self._control(scope, receive, send)
        else:
            await _graph(self._meta, scope, receive, send)

    def at_once(self, raw_path: bytes, query: bytes, headers: wire.Headers, body: bytes) -> wire.Answer | None:
        """What a POST is answered if it is one of events and nothing has to be waited for; else None, nothing done.

        The same work as by ASGI, without a task for each request: a load run sends little else.
        """
        meta = self._meta
        try:
            target, pixel = _edge_of_events(raw_path, meta.switches.version_mode)
        except GraphError:
            return None
        if pixel is None or not meta.hurries(pixel):
            return None
        reply = _plain_reply(meta, pixel, headers, body) if not query else None
        if reply is None:
            reply = EventsCall(meta, pixel, _read(query, headers, body)).work()
        return reply, _lines(meta, target, reply)


def _plain_reply(meta: Meta, pixel: str, headers: wire.Headers, body: bytes) -> Reply | None:
    """The answer to a plain and right call; None: it is another, and nothing was done."""
    content_type, authorization = _told(headers)
    if content_type != "application/json":
        return None
    now_s = meta.now_s()
    call = plain(body, now_s=now_s, switches=meta.switches)
    if call is None:
        return None
    token = call.token if call.token is not None else decode.bearer(authorization)
    try:
        return answer_plain(meta, pixel, call, token, now_s=now_s)
    except GraphError:
        return None


@lru_cache(maxsize=1024)
def _served(raw_path: bytes, mode: Literal["upgrade", "strict"]) -> Served:
    return served(unquote(raw_path.decode("ascii", "replace")), mode)


@lru_cache(maxsize=1024)
def _edge_of_events(raw_path: bytes, mode: Literal["upgrade", "strict"]) -> tuple[Served, str | None]:
    """What serves the path, and the pixel if it is its edge of events."""
    target = _served(raw_path, mode)
    edge = _EVENTS(target.path)
    return target, None if edge is None else edge[1]


async def _graph(meta: Meta, scope: Scope, receive: Receive, send: Send) -> None:
    """One request to Graph, from its path to its answer."""
    too_large = False
    try:
        body = await wire.read(receive, meta.switches.max_body_bytes)
        asked = _read(scope["query_string"], scope["headers"], body)
    except wire.BodyTooLarge:
        too_large = True  # the rest of it is not read: the connection ends with the answer
        asked = GraphError("body_too_large", limit=meta.switches.max_body_bytes)
    except ConnectionAbortedError:
        return
    target = Served(f"v{LATEST}.0", "")
    try:
        target = _served(scope["raw_path"], meta.switches.version_mode)
        reply = await _reply(meta, scope["method"], target, asked, receive)
    except GraphError as error:
        reply = Reply(status=error.status, body=orjson.dumps(error.envelope(meta.trace_id())), error=error)
    headers = _headers(meta, target, reply)
    await wire.answer(scope, receive, send, reply, [*headers, _CLOSE] if too_large else headers)


def _headers(meta: Meta, target: Served, reply: Reply) -> list[tuple[bytes, bytes]]:
    """What Graph sends with every answer, and what it says of this one."""
    trace = meta.trace_id().encode()
    headers = [
        (b"facebook-api-version", target.version.encode()),
        (b"x-fb-request-id", trace),
        (b"x-fb-trace-id", trace),
        *_ALWAYS,
    ]
    if target.warning is not None:
        headers.append((b"x-ad-api-version-warning", target.warning.encode()))
    if reply.error is not None:
        headers.append((b"www-authenticate", reply.error.www_authenticate().encode()))
    return headers


def _lines(meta: Meta, target: Served, reply: Reply) -> bytes:
    """The same, as it goes on the wire; quickly where the answer is nothing out of the way."""
    if target.warning is not None or reply.error is not None:
        return wire.as_lines(_headers(meta, target, reply))
    trace = meta.trace_id()
    told = f"facebook-api-version: {target.version}\r\nx-fb-request-id: {trace}\r\nx-fb-trace-id: {trace}\r\n"
    return told.encode() + _ALWAYS_LINES


def _read(query: bytes, headers: wire.Headers, body: bytes) -> decode.Parameters | GraphError:
    """What the client sent beside its path; what it did wrong is told after the path was judged."""
    try:
        return decode.parameters(query, *_told(headers), body)
    except GraphError as error:
        return error


def _told(headers: wire.Headers) -> tuple[str, str]:
    """Content-Type and Authorization; empty where there is none."""
    content_type = authorization = ""
    for name, value in headers:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"authorization":
            authorization = value.decode("latin-1")
    return content_type, authorization


async def _reply(
    meta: Meta, method: str, target: Served, asked: decode.Parameters | GraphError, receive: Receive
) -> Reply:
    """The answer of the edge or node the path names.

    Raises:
        GraphError: for the envelope; nothing of it stands in the inbox.
    """

    async def wait(seconds: float) -> None:
        await wire.wait(receive, seconds)

    if _BROWSER(target.path):
        return browser.take(meta, {} if isinstance(asked, GraphError) else asked.values)
    events = _EVENTS(target.path)
    if events is not None and method == "POST":
        return await EventsCall(meta, events[1], asked).run(wait)
    if isinstance(asked, GraphError):
        raise asked
    if events is not None:
        meta.tokens.check(asked.token, now_s=meta.now_s())
        raise GraphError("no_access", method=method.lower(), object_id=events[1])
    node = nodes.NODES.get((method, target.path.rstrip("/")))
    if node is not None:
        return _json(node(meta, asked))
    if method == "POST" and _CRASHES(target.path):
        return _json(nodes.crash_report(meta, asked))
    pixel = _PIXEL(target.path)
    if pixel is not None and method == "GET":
        return _json(nodes.pixel(meta, pixel[1], asked))
    raise GraphError("unknown_path", path=_edge(target.path))


def _edge(path: str) -> str:
    """What Graph names as unknown: the path without the object it belongs to."""
    head, _, edge = path.lstrip("/").partition("/")
    return f"/{edge}" if head.isdigit() and edge else path or "/"


def _json(value: nodes.Answer) -> Reply:
    return Reply(status=200, body=orjson.dumps(value))
