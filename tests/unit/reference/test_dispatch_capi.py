"""The Conversions API client against a real socket that misbehaves."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reference_impl.dispatch.capi import CapiClient
from reference_impl.dispatch.classify import Answer, NoAnswer

Reply = Callable[[BaseHTTPRequestHandler], None]


class Stub(ThreadingHTTPServer):
    """Answers as `reply` does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.reply: Reply = _ok
        self.hold = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.server.reply(self)

    def log_message(self, *_: Any) -> None:
        pass


def _ok(handler: BaseHTTPRequestHandler) -> None:
    body = b'{"events_received": 1, "messages": [], "fbtrace_id": "A"}'
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _half(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"events_received": 1')
    handler.wfile.flush()
    _cut(handler)


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _send(url: str, *, timeout_s: float = 2.0, token: str = "EAAsecret") -> Answer | NoAnswer:
    with CapiClient(url, version="v24.0", timeout_s=timeout_s) as client:
        return client.send(pixel_id="123", token=token, events=[{"event_name": "Purchase", "v": "ção"}])


def test_the_request_is_metas_and_keeps_the_token_out_of_the_url(stub: Stub) -> None:
    """The events go as JSON to the pixel's edge; the token rides in the header alone."""
    answer = _send(stub.url)
    path, headers, body = stub.requests[0]
    assert (path, headers["authorization"]) == ("/v24.0/123/events", "Bearer EAAsecret")
    assert body == {"data": [{"event_name": "Purchase", "v": "ção"}]}
    assert headers["content-type"] == "application/json"
    assert isinstance(answer, Answer)
    assert (answer.status, json.loads(answer.body)["events_received"]) == (200, 1)


def test_a_netrc_does_not_replace_the_token(stub: Stub, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests would prefer a .netrc entry to a plain header; the tenant's token must win."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    _send(stub.url)
    assert stub.requests[0][1]["authorization"] == "Bearer EAAsecret"


def test_the_environments_proxy_is_used(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for once, when the client is made, and honoured by every call."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", stub.url)
    _send("http://graph.invalid")
    assert [path for path, _, _ in stub.requests] == ["http://graph.invalid/v24.0/123/events"]


def test_the_environments_certificates_are_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that is not there is noticed, so it is looked for."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert _send(f"https://127.0.0.1:{listening.getsockname()[1]}") == NoAnswer(left=True, reason="OSError")


def test_a_refused_connection_never_left() -> None:
    """With nobody listening, the outcome is known: nothing was sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: the kernel refuses
        assert _send(f"http://127.0.0.1:{taken.getsockname()[1]}") == NoAnswer(left=False, reason="ConnectionError")


@pytest.mark.parametrize("token", ["EAA secret\n", "EAA\u2026"], ids=["a line break", "no Latin letter"])
def test_a_token_that_fits_in_no_header_never_left(stub: Stub, token: str) -> None:
    """Written into the secret by hand: no event was sent with it, so none is in doubt."""
    answer = _send(stub.url, token=token)
    assert isinstance(answer, NoAnswer), answer
    assert (answer.left, stub.requests) == (False, [])


@pytest.mark.parametrize("reply", [_cut, _half], ids=["cut before", "cut within"])
def test_a_lost_answer_may_have_left(stub: Stub, reply: Reply) -> None:
    """A line that is cut before or within the answer leaves the outcome unknown."""
    stub.reply = reply
    answer = _send(stub.url)
    assert isinstance(answer, NoAnswer), answer
    assert answer.left


def test_a_silent_meta_is_given_up(stub: Stub) -> None:
    """A hung answer ends at the timeout, and may have left."""

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = stub.hold.wait(10)

    stub.reply = hang
    assert _send(stub.url, timeout_s=0.2) == NoAnswer(left=True, reason="ReadTimeout")


def test_a_dripping_meta_is_given_up(stub: Stub) -> None:
    """An answer that comes byte by byte is cut off as a whole, though no single wait is long."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                if stub.hold.wait(0.05):
                    return
        except OSError:
            handler.close_connection = True

    stub.reply = drip
    assert _send(stub.url, timeout_s=0.3) == NoAnswer(left=True, reason="ReadTimeout")


def test_a_redirect_is_not_followed(stub: Stub) -> None:
    """The token goes to nobody but the configured address."""
    stub.reply = _redirect
    answer = _send(stub.url)
    assert isinstance(answer, Answer)
    assert (answer.status, len(stub.requests)) == (302, 1)
