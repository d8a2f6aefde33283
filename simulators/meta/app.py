"""The HTTP face of the fake Meta: which bytes belong to which edge, and the headers Graph sends with every answer.

Plain ASGI: the events edge is on the path of every load run. What it answers is decided in `events`, `nodes` and
`control`; here is only the wire.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators import wire
from simulators.meta import browser, decode, nodes
from simulators.meta.control import PREFIX, create_control
from simulators.meta.errors import GraphError
from simulators.meta.events import EventsCall
from simulators.meta.faults import Reply
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
_CLOSE = (b"connection", b"close")


def create_app(meta: Meta) -> ASGIApp:
    """The application. Serve it with `http=wire.CuttableProtocol`, or faults cannot cut connections."""
    control = create_control(meta)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await control(scope, receive, send)  # lifespan
        elif scope["path"].startswith(PREFIX):
            await control(scope, receive, send)
        else:
            await _graph(meta, scope, receive, send)

    return app


async def _graph(meta: Meta, scope: Scope, receive: Receive, send: Send) -> None:
    """One request to Graph, from its path to its answer."""
    too_large = False
    try:
        asked = await _parameters(meta, scope, receive)
    except wire.BodyTooLarge:
        too_large = True  # the rest of it is not read: the connection ends with the answer
        asked = GraphError("body_too_large", limit=meta.switches.max_body_bytes)
    except ConnectionAbortedError:
        return
    version, warning = f"v{LATEST}.0", None
    try:
        target = served(unquote(scope["raw_path"].decode("ascii", "replace")), meta.switches.version_mode)
        version, warning = target.version, target.warning
        reply = await _reply(meta, scope["method"], target, asked, receive)
    except GraphError as error:
        reply = Reply(status=error.status, body=orjson.dumps(error.envelope(meta.trace_id())), error=error)
    headers = [(b"facebook-api-version", version.encode()), *_ids(meta), *_ALWAYS]
    if warning is not None:
        headers.append((b"x-ad-api-version-warning", warning.encode()))
    if reply.error is not None:
        headers.append((b"www-authenticate", reply.error.www_authenticate().encode()))
    if too_large:
        headers.append(_CLOSE)
    await wire.answer(scope, receive, send, reply, headers)


async def _parameters(meta: Meta, scope: Scope, receive: Receive) -> decode.Parameters | GraphError:
    """What the client sent beside its path; what it did wrong is told after the path was judged."""
    content_type = authorization = ""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"authorization":
            authorization = value.decode("latin-1")
    body = await wire.read(receive, meta.switches.max_body_bytes)
    try:
        return decode.parameters(scope["query_string"], content_type, authorization, body)
    except GraphError as error:
        return error


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
        return await browser.take(meta, {} if isinstance(asked, GraphError) else asked.values)
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


def _ids(meta: Meta) -> list[tuple[bytes, bytes]]:
    trace = meta.trace_id().encode()
    return [(b"x-fb-request-id", trace), (b"x-fb-trace-id", trace)]
