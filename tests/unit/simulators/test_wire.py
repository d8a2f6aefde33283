"""DirectProtocol: a head that came before is answered without the parser, and every other way says the same.

A real uvicorn on a loopback port, and a client that decides how its bytes are cut into pieces.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from socket import create_connection, socket
from typing import Any

import httptools
import pytest
import uvicorn

from simulators import wire

LIMIT_S = 10.0


class Echo:
    """Answers a POST at once with its path, query, X-Told header and body; `/slow` only by ASGI."""

    at_once_bytes = 1000

    def __init__(self) -> None:
        self.by_asgi = 0
        self.go = True
        """Whether ASGI may answer."""

    def at_once(self, raw_path: bytes, query: bytes, headers: wire.Headers, body: bytes) -> wire.Answer | None:
        if raw_path == b"/slow":
            return None
        return wire.Reply(status=200, body=b"|".join([raw_path, query, dict(headers).get(b"x-told", b""), body])), b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.by_asgi += 1
        body = await wire.read(receive, 10_000)
        while not self.go:
            await asyncio.sleep(0)
        told = dict(scope["headers"]).get(b"x-told", b"")
        reply = wire.Reply(status=200, body=b"|".join([scope["raw_path"], scope["query_string"], told, body]))
        await wire.answer(scope, receive, send, reply, ())


class Parsed:
    """How often the parser was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = wire.DirectProtocol.on_headers_complete

        def counted(protocol: wire.DirectProtocol) -> None:
            self.count += 1
            real(protocol)

        monkeypatch.setattr(wire.DirectProtocol, "on_headers_complete", counted)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def address(echo: Echo) -> Iterator[tuple[str, int]]:
    """A server of it, with a keep-alive of one second."""
    wire._HEADS.clear()
    config = uvicorn.Config(
        echo,
        http=wire.DirectProtocol,
        lifespan="off",
        proxy_headers=False,
        log_level="critical",
        timeout_keep_alive=1,
        port=0,
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    until(lambda: server.started, goal="the server has started")
    yield listener.getsockname()[:2]
    server.should_exit = True
    thread.join(LIMIT_S)
    assert not thread.is_alive(), "the server did not end"


def until(fact: Callable[[], bool], *, goal: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not fact():
        assert time.monotonic() < deadline, goal


def post(body: bytes, *, path: str = "/a?b=c", told: str = "x", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nX-Told: {told}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Answers:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.now = b""

    def on_body(self, body: bytes) -> None:
        self.now += body

    def on_message_complete(self) -> None:
        self.bodies.append(self.now)
        self.now = b""


def answers(wired: socket, count: int) -> list[bytes]:
    """The bodies of the next answers."""
    found = _Answers()
    parser = httptools.HttpResponseParser(found)
    while len(found.bodies) < count:
        data = wired.recv(65536)
        assert data, f"the connection ended after {found.bodies}"
        parser.feed_data(data)
    return found.bodies


def test_a_known_head_needs_no_parser_and_says_the_same(
    address: tuple[str, int], echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = Parsed(monkeypatch)
    with closing(create_connection(address, LIMIT_S)) as wired:
        for body in (b"one", b"two", b"six"):
            wired.sendall(post(body))
            assert answers(wired, 1) == [b"/a|b=c|x|" + body]
    assert (parsed.count, echo.by_asgi) == (1, 0)


def test_any_other_byte_in_the_head_is_another_head(address: tuple[str, int]) -> None:
    with closing(create_connection(address, LIMIT_S)) as wired:
        for path, told, body in (("/a", "x", b"one"), ("/a", "y", b"one"), ("/b", "y", b"one"), ("/b", "y", b"four")):
            wired.sendall(post(body, path=path, told=told))
            assert answers(wired, 1) == [f"{path}||{told}|".encode() + body]


def test_a_known_head_in_pieces_or_with_company_is_the_parsers(address: tuple[str, int], echo: Echo) -> None:
    """Cut anywhere, two in one piece, half of the next at the end: each is answered once, in order."""
    with closing(create_connection(address, LIMIT_S)) as wired:
        wired.sendall(post(b"one"))
        answers(wired, 1)
        whole = post(b"two")
        for cut in (1, 20, whole.index(b"\r\n\r\n") + 2, whole.index(b"two"), len(whole) - 1):
            wired.sendall(whole[:cut])
            wired.sendall(whole[cut:])
            assert answers(wired, 1) == [b"/a|b=c|x|two"]
        wired.sendall(post(b"one") + post(b"two") + whole[:30])
        assert answers(wired, 2) == [b"/a|b=c|x|one", b"/a|b=c|x|two"]
        wired.sendall(whole[30:])
        assert answers(wired, 1) == [b"/a|b=c|x|two"]
    assert echo.by_asgi == 0


def test_a_known_head_behind_a_slow_request_waits_its_turn(address: tuple[str, int], echo: Echo) -> None:
    with closing(create_connection(address, LIMIT_S)) as wired:
        wired.sendall(post(b"one"))
        answers(wired, 1)
        echo.go = False
        wired.sendall(post(b"slow", path="/slow"))
        until(lambda: echo.by_asgi == 1, goal="the slow request is under way")
        with closing(create_connection(address, LIMIT_S)) as other:
            wired.sendall(post(b"one"))
            other.sendall(post(b"one"))
            assert answers(other, 1) == [b"/a|b=c|x|one"], "the loop has seen both by now"
        echo.go = True
        assert answers(wired, 2) == [b"/slow||x|slow", b"/a|b=c|x|one"]


def test_a_body_that_looks_like_a_known_request_is_a_body(address: tuple[str, int]) -> None:
    with closing(create_connection(address, LIMIT_S)) as wired:
        wired.sendall(post(b"one"))
        answers(wired, 1)
        letter = post(b"one")
        begun = post(letter, path="/letter")
        wired.sendall(begun[: -len(letter)])
        with closing(create_connection(address, LIMIT_S)) as other:
            other.sendall(post(b"one"))
            answers(other, 1)  # the loop has seen the beginning by now
        wired.sendall(letter)
        assert answers(wired, 1) == [b"/letter||x|" + letter]


def test_what_has_no_plain_length_or_asks_to_close_is_not_remembered(address: tuple[str, int]) -> None:
    chunked = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
    with closing(create_connection(address, LIMIT_S)) as wired:
        for _ in range(2):
            wired.sendall(chunked)
            assert answers(wired, 1) == [b"/a|||one"]
        wired.sendall(post(b"one", more="Connection: close\r\n"))
        assert answers(wired, 1) == [b"/a|b=c|x|one"]
        assert wired.recv(1) == b"", "it asked to close"
    assert not wire._HEADS


def test_too_many_or_too_long_heads_are_forgotten(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_HEADS", 3)
    with closing(create_connection(address, LIMIT_S)) as wired:
        for number in range(10):
            wired.sendall(post(b"one", told=str(number)))
            answers(wired, 1)
            assert len(wire._HEADS) <= 3
        wire._HEADS.clear()
        wired.sendall(post(b"one", told="y" * 3000))
        answers(wired, 1)
    assert not wire._HEADS


def test_an_idle_connection_is_closed_and_a_used_one_is_not(address: tuple[str, int]) -> None:
    """Known heads do not set the timer anew; it looks back when it rings."""
    with closing(create_connection(address, LIMIT_S)) as wired:
        loop = asyncio.new_event_loop()
        began_s = loop.time()
        while loop.time() - began_s < 1.5:  # longer than the keep-alive
            wired.sendall(post(b"one"))
            assert answers(wired, 1) == [b"/a|b=c|x|one"]
        last_s = loop.time()
        assert wired.recv(1) == b"", "an idle connection is closed"
        assert loop.time() - last_s > 0.5, "it was closed by the timer of a request long ago"
        loop.close()
