"""`python -m simulators gateways` as a real child process, and a real listener to send to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import stripe

from simulators.gateways import gateway, known
from simulators.loopback import NotLoopback, check_loopback
from simulators.people import order
from tests.rows import each_row

NOW_S = 1_772_366_400


class Receiver(ThreadingHTTPServer):
    """Answers 202 and keeps what came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


APPROVED = ("hotmart", "vendor", "approved")


def start(*options: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "simulators", "gateways", *options]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    child = start()
    with child:
        assert child.stdout is not None
        yield json.loads(child.stdout.readline())["url"]
        child.terminate()
        assert child.wait(timeout=5) == 0


def wish(to: str, **changes: Any) -> dict[str, Any]:
    plain = {"gateway": "stripe", "event": "approved", "dialect": "vendor", "secret": "whsec_x", "to": to}
    return {**plain, "seed": "7/server", "at_s": NOW_S, **changes}


def send(base_url: str, to: str, **changes: Any) -> requests.Response:
    return requests.post(f"{base_url}/_golive/send", json=wish(to, **changes), timeout=10)


@each_row("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_when_told(how: signal.Signals) -> None:
    """One JSON line with name, url, pid once it answers; a signal ends it with exit 0, an open connection or not."""
    with start() as child:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        assert (told["name"], told["pid"]) == ("gateways", child.pid)
        assert requests.get(told["url"] + "/_golive/health", timeout=5).json()["name"] == "gateways"
        port = int(told["url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            child.send_signal(how)
            assert child.wait(timeout=5) == 0
        assert child.stdout.read() == ""


def test_a_target_that_never_answers_does_not_keep_it_alive() -> None:
    """SIGTERM ends it at once (the send's own limit is 10 s), with exit 0 and nothing to complain about."""
    with socket.create_server(("127.0.0.1", 0)) as silent, start() as child:
        assert child.stdout is not None
        assert child.stderr is not None
        url = json.loads(child.stdout.readline())["url"]
        body = json.dumps(wish(f"http://127.0.0.1:{silent.getsockname()[1]}/hook")).encode()
        head = f"POST /_golive/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as asking:
            asking.sendall(head + body)
            silent.settimeout(5)
            with silent.accept()[0] as taken:
                assert taken.recv(4) == b"POST"  # the webhook is on its way, and its answer will never come
                child.terminate()
                assert child.wait(timeout=5) == 0
        assert child.stderr.read() == ""


def test_a_taken_port_is_a_sentence() -> None:
    """Exit 1 and which port, instead of a stack trace."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start("--port", str(port)) as child:
            _, complaint = child.communicate(timeout=10)
    assert child.returncode == 1
    assert complaint == f"gateways cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_its_clock_can_be_shifted() -> None:
    """--clock-offset-s moves what health calls now."""
    with start("--clock-offset-s", "86400") as child:
        assert child.stdout is not None
        url = json.loads(child.stdout.readline())["url"]
        shifted = requests.get(url + "/_golive/health", timeout=5)
        child.terminate()
    server_date = shifted.headers["Date"]  # the web server's own, which is not shifted
    assert shifted.json()["now_s"] > stamp(server_date) + 86_000


def stamp(date: str) -> float:
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(date).timestamp()


def test_it_lists_every_event(base_url: str) -> None:
    """All gateways, dialects and events, with what each means, and all tamperings."""
    listed = requests.get(f"{base_url}/_golive/events", timeout=5).json()
    assert {one["name"] for one in listed["gateways"]} == set(known()) > {"hotmart", "kiwify", "perfectpay"}
    (hotmart,) = (one for one in listed["events"] if (one["gateway"], one["dialect"], one["name"]) == APPROVED)
    assert (hotmart["vendor_name"], hotmart["outcome"]) == ("PURCHASE_APPROVED", "purchase")
    assert hotmart["statuses"] == ["data.purchase.status=APPROVED"]
    assert "one_byte" in {one["name"] for one in listed["tamperings"]}


def test_it_sends_what_the_library_would(base_url: str, receiver: Receiver) -> None:
    """The same bytes as simulators.gateways.webhook for that seed and time; the answer tells the target's status."""
    answer = send(base_url, receiver.url)
    fake, sale = gateway("stripe"), order("7/server", now_s=NOW_S)
    arguments = {"dialect": "vendor", "secret": "whsec_x", "url": receiver.url, "now_s": NOW_S}
    body = fake.render(sale, "approved", **arguments)
    assert (answer.status_code, answer.json()["status"]) == (200, 202)
    assert answer.json()["sale_id"] == fake.sale_id(sale)
    [(_, headers, seen)] = receiver.seen
    assert seen == body
    assert headers["Stripe-Signature"] == fake.sign(body, **arguments).headers["Stripe-Signature"]
    assert headers["User-Agent"].startswith("Stripe/1.0")


def test_set_values_are_signed(base_url: str, receiver: Receiver) -> None:
    """A value set by path is in the body before the signature is made, in the vendor's style of printing."""
    assert send(base_url, receiver.url, set={"data.object.amount_received": 1}).status_code == 200
    [(_, headers, body)] = receiver.seen
    assert b'\n      "amount_received": 1,\n' in body
    stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], "whsec_x", tolerance=0)


def test_tampering_reaches_the_wire(base_url: str, receiver: Receiver) -> None:
    """With `tamper` the bytes differ from what was signed."""
    assert send(base_url, receiver.url, tamper="one_byte").status_code == 200
    [(_, headers, body)] = receiver.seen
    with pytest.raises(stripe.SignatureVerificationError, match="No signatures found matching"):
        stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], "whsec_x", tolerance=0)


@each_row(
    ("changes", "code", "says"),
    [
        ({"gateway": "strpe"}, "unknown_name", "Did you mean 'stripe'"),
        ({"event": "paid"}, "unknown_name", "No stripe event"),
        ({"dialect": "plan"}, "unknown_name", "No stripe dialect"),
        ({"tamper": "x"}, "unknown_name", "No tampering"),
        ({"set": {"data.nowhere.x": 1}}, "bad_request", "data.nowhere"),
        ({"at_s": "now"}, "bad_request", "at_s"),
        ({"more": 1}, "bad_request", "more"),
    ],
    shared=("receiver",),
)
def test_bad_wishes_get_a_clear_error(
    base_url: str, receiver: Receiver, changes: dict[str, Any], code: str, says: str
) -> None:
    """400, a code and a sentence; nothing is sent, and the secret is not repeated."""
    answer = send(base_url, receiver.url, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert says in answer.json()["error"]["message"]
    assert "whsec_x" not in answer.text
    assert receiver.seen == []


def test_what_is_no_json_is_a_bad_request(base_url: str) -> None:
    """400, not a stack trace."""
    answer = requests.post(f"{base_url}/_golive/send", data=b"{", timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_nobody_there_is_said(base_url: str) -> None:
    """502 unreachable when the connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = send(base_url, f"http://127.0.0.1:{port}/hook")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "unreachable")
    assert f"on 127.0.0.1, port {port}" in answer.json()["error"]["message"]


def test_a_route_that_is_not_there_names_the_page_that_lists_them(base_url: str) -> None:
    """JSON as everywhere, also for a wrong method."""
    for answer in (requests.get(f"{base_url}/", timeout=5), requests.get(f"{base_url}/_golive/send", timeout=5)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_route")
        assert "docs/contracts.md" in answer.json()["error"]["message"]


@each_row(
    "url",
    [
        "http://example.com/hook",
        "http://192.0.2.1/hook",
        "http://0.0.0.0/hook",
        "http://127.0.0.1@example.com/hook",
        "http://example.com\\@127.0.0.1/hook",
        "http://127.0.0.1.example.com/hook",
        "file:///etc/passwd",
        "127.0.0.1:80/hook",
    ],
)
def test_other_machines_are_refused(url: str) -> None:
    """Whatever is not certainly this machine, tricks with user names and backslashes included."""
    with pytest.raises(NotLoopback, match="this machine only"):
        check_loopback(url)


def test_loopback_is_allowed_and_the_http_face_refuses_the_rest(base_url: str) -> None:
    """127.0.0.0/8, ::1 and localhost pass; over HTTP another host is a 400 before anything is sent."""
    for url in ("http://127.0.0.1:1/x", "http://127.9.9.9/x", "http://[::1]:1/x", "http://localhost/x"):
        check_loopback(url)
    assert send(base_url, "http://example.com/").json()["error"]["code"] == "not_loopback"
