"""The fake gateways' own deliveries over their control API: runs, their bounds, and a configuration that is off."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import stripe

from tests.rows import each_row

LIMIT_S = 30.0
SECRET, OLD = "whsec_Run4Jq8wTz1Rb7Yc3K", "whsec_RunOldQx7Vn2Hs5Wf8T"


@dataclass
class Receiver:
    """Answers as it is told, and keeps what came."""

    url: str = ""
    answer: Callable[[int], int] = lambda _number: 202
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                found.got.append((self.path, dict(self.headers.items()), body))
                number = len(found.got)
            told = json.dumps({"error": {"code": "not_now"}}).encode()
            self.send_response_only(found.answer(number))
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Who hangs up on us is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(LIMIT_S)


class Gateways:
    """The process, and what is asked of it; its answers never hold a secret."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "simulators", "gateways"]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        self.url = json.loads(self.child.stdout.readline())["url"]

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        answer = requests.request(method, f"{self.url}/_golive/{path}", json=body, timeout=LIMIT_S)
        assert SECRET not in answer.text
        assert OLD not in answer.text
        return answer

    def begin(self, to: str, **changes: Any) -> requests.Response:
        wish = {"gateway": "stripe", "event": "approved", "dialect": "vendor", "secret": SECRET, "to": to}
        return self.ask("POST", "send", {**wish, "seed": "7/run", **changes})

    def run(self, to: str, **changes: Any) -> dict[str, Any]:
        """Begin a run, and what has become of it at its end."""
        answer = self.begin(to, **changes)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["run"])

    def ended(self, number: int, state: str = "done") -> dict[str, Any]:
        deadline = time.monotonic() + LIMIT_S
        while (run := self.ask("GET", f"runs/{number}").json())["state"] == "running":
            assert time.monotonic() < deadline, f"run {number} should end: {run}"
        assert run["state"] == state, run
        found: dict[str, Any] = run
        return found

    def sent(self, run: int) -> list[dict[str, Any]]:
        return [one for one in self.ask("GET", "sent").json()["sent"] if one["run"] == run]


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    found = Gateways()
    with found.child:
        yield found
        found.child.terminate()
        assert found.child.wait(timeout=5) == 0
        assert found.child.stderr is not None
        assert found.child.stderr.read() == ""


def test_a_run_is_begun_and_told_while_it_goes_on(gateways: Gateways, receiver: Receiver) -> None:
    """202 at once; every request stands in the log under the run's number, each of its own sale and rightly signed."""
    run = gateways.run(receiver.url, count=20, event="approved,refunded", shuffle=True)
    assert (run["planned"], run["accepted"], run["by_status"]) == (40, 40, {"202": 40})
    sent = gateways.sent(run["run"])
    assert len(sent) == len(receiver.got) == 40
    assert len({one["sale_id"] for one in sent}) == 20
    assert [one["event"] for one in sent].count("refunded") == 20
    assert {(one["attempt"], one["status"], one["word"]) for one in sent} == {(1, 202, None)}
    for _path, headers, body in receiver.got:
        stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], SECRET, tolerance=300)
    assert gateways.ask("GET", "runs").json()["runs"][-1] == run


def test_twins_and_a_rate_are_kept(gateways: Gateways, receiver: Receiver) -> None:
    """Byte for byte the same twice; ten at forty a second take a quarter of a second."""
    began_s = time.monotonic()
    run = gateways.run(receiver.url, count=10, twin=2, rate=40)
    assert time.monotonic() - began_s > 0.2
    assert run["accepted"] == 20
    assert len({(headers["Stripe-Signature"], body) for _, headers, body in receiver.got}) == 10


def test_what_fails_comes_again_by_the_vendors_schedule(gateways: Gateways, receiver: Receiver) -> None:
    """Compressed; every attempt stands in the log with its number and what came of it."""
    receiver.answer = lambda number: 503 if number < 3 else 202
    run = gateways.run(receiver.url, gateway="kiwify", compress=3600)
    assert (run["accepted"], run["attempts"], run["retries"]) == (1, 3, 2)
    told = [(one["attempt"], one["status"], one["word"]) for one in gateways.sent(run["run"])]
    assert told == [(1, 503, "not_now"), (2, 503, "not_now"), (3, 202, None)]
    assert len(set(receiver.got[0][2:] + receiver.got[1][2:] + receiver.got[2][2:])) == 1


def test_where_time_stands_a_retry_says_the_vendors_second(gateways: Gateways, receiver: Receiver) -> None:
    """Stripe's t: at_s, 300 s later, 900 s later."""
    receiver.answer = lambda number: 503 if number < 3 else 202
    run = gateways.run(receiver.url, at_s=1_772_366_400, compress=100_000)
    stamps = [int(headers["Stripe-Signature"].partition("t=")[2].partition(",")[0]) for _, headers, _ in receiver.got]
    assert [stamp - 1_772_366_400 for stamp in stamps] == [0, 300, 900]
    assert [one["signed_at_s"] for one in gateways.sent(run["run"])] == stamps


def test_hotmart_gives_an_address_up_until_somebody_switches_it_on(gateways: Gateways, receiver: Receiver) -> None:
    """After ten failures in a row later runs send nothing; it is seen beside the log, and can be reset."""
    receiver.answer = lambda _number: 500
    wish: dict[str, Any] = {"gateway": "hotmart", "retries": True, "concurrency": 1}
    run = gateways.run(receiver.url, count=12, **wish)
    assert (run["switched_off"], run["attempts"], run["accepted"]) == (True, 10, 0)
    (off,) = gateways.ask("GET", "sent").json()["switched_off"]
    assert (off["gateway"], off["to"], off["off"], off["failures_in_a_row"]) == ("hotmart", receiver.url, True, 10)
    assert off in gateways.ask("GET", "configurations").json()["configurations"]
    receiver.answer = lambda _number: 202
    assert gateways.run(receiver.url, count=3, **wish)["not_sent"] == 3
    again = gateways.ask("POST", f"configurations/{off['id']}/on").json()
    assert (again["off"], again["failures_in_a_row"]) == (False, 0)
    assert gateways.ask("GET", "sent").json()["switched_off"] == []
    assert gateways.run(receiver.url, count=3, **wish)["accepted"] == 3


def test_two_secrets_take_turns_and_what_is_sent_again_keeps_its_own(gateways: Gateways, receiver: Receiver) -> None:
    """By the documented HMAC-SHA1: half with each; a resend is signed with the secret of its first time."""
    run = gateways.run(receiver.url, gateway="kiwify", old_secret=OLD, count=4, concurrency=1)
    assert [signer(one) for one in receiver.got] == ["new", "old", "new", "old"]
    second = gateways.sent(run["run"])[1]
    assert gateways.ask("POST", f"sent/{second['seq']}/again").status_code == 200
    assert signer(receiver.got[-1]) == "old"
    assert receiver.got[-1][2] == receiver.got[1][2]


def signer(got: tuple[str, dict[str, str], bytes]) -> str:
    path, _headers, body = got
    given = path.rpartition("signature=")[2]
    secrets = {"new": SECRET, "old": OLD}
    return next(
        name for name, one in secrets.items() if hmac.new(one.encode(), body, hashlib.sha1).hexdigest() == given
    )


def test_one_webhook_of_stripe_is_signed_with_both(gateways: Gateways, receiver: Receiver) -> None:
    """No run is needed for that."""
    assert gateways.begin(receiver.url, old_secret=OLD).json()["status"] == 202
    ((_path, headers, body),) = receiver.got
    for one in (SECRET, OLD):
        stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], one, tolerance=300)


def test_a_run_can_be_ended(gateways: Gateways, receiver: Receiver) -> None:
    """What had not been sent never is."""
    number = gateways.begin(receiver.url, count=100, rate=1).json()["run"]
    ended = gateways.ask("DELETE", f"runs/{number}").json()
    assert (ended["state"], ended["planned"]) == ("cancelled", 100)
    assert ended["unfinished"] >= 98
    assert gateways.ask("DELETE", f"runs/{number}").json() == ended


def test_not_more_runs_than_the_machine_bears(gateways: Gateways, receiver: Receiver) -> None:
    """The ninth at once is refused with what to do; when one has ended there is room again."""
    numbers = [gateways.begin(receiver.url, count=100, rate=1).json()["run"] for _ in range(8)]
    refused = gateways.begin(receiver.url, count=100, rate=1)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_runs")
    assert "DELETE /_golive/runs" in refused.json()["error"]["message"]
    for number in numbers:
        gateways.ask("DELETE", f"runs/{number}")
    assert gateways.run(receiver.url, count=2)["accepted"] == 2


@each_row(
    ("changes", "code", "says"),
    [
        ({"count": 0}, "bad_request", "count"),
        ({"count": 100_001}, "bad_request", "count"),
        ({"count": 100_000, "twin": 2}, "bad_request", "100000 deliveries"),
        ({"count": 2, "event": "approved,aproved"}, "unknown_name", "Did you mean 'approved'"),
        ({"burst": 3}, "bad_request", "needs a rate"),
        ({"rate": 0}, "bad_request", "rate"),
        ({"compress": 0}, "bad_request", "compress"),
        ({"count": 2, "tamper": "forged_wrapper"}, "nothing_to_tamper", "Only Kiwify"),
        ({"count": 2, "to": "http://192.0.2.1/"}, "not_loopback", "this machine only"),
        ({"gateway": "kiwify", "old_secret": OLD}, "bad_request", "at least 2"),
        ({"gateway": "hotmart", "old_secret": OLD, "count": 2}, "bad_request", "one static token"),
        ({"old_secret": SECRET}, "bad_request", "The old secret is the new one"),
        ({"old_secret": OLD, "tamper": "one_byte"}, "bad_request", "one of them"),
        ({"switches": {"livemod": False}}, "unknown_name", "Did you mean 'livemode'"),
        ({"switches": {"livemode": "no"}}, "bad_request", "true or false"),
        ({"switches": {"old_secret": OLD}}, "bad_request", "an option of its own"),
        ({"tamper": "another_tenants_secret"}, "nothing_to_tamper", "No other tenant's secret"),
    ],
    shared=("receiver",),
)
def test_what_makes_no_sense_is_refused_at_once(
    gateways: Gateways, receiver: Receiver, changes: dict[str, Any], code: str, says: str
) -> None:
    """400 before anything is sent, and no secret in it."""
    answer = gateways.begin(**{"to": receiver.url, **changes})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert says in answer.json()["error"]["message"]
    assert receiver.got == []


@each_row(("method", "path"), [("GET", "runs/999"), ("POST", "configurations/999/on")])
def test_what_is_not_there_is_said(gateways: Gateways, method: str, path: str) -> None:
    """404 with where to look."""
    answer = gateways.ask(method, path)
    assert answer.status_code == 404
    assert "GET /_golive/" in answer.json()["error"]["message"]


def test_a_run_under_way_ends_with_the_process(receiver: Receiver) -> None:
    """SIGTERM: exit 0 at once and nothing to complain about, though retries were due for hours."""
    receiver.answer = lambda _number: 503
    found = Gateways()
    with found.child as child:
        number = found.begin(receiver.url, count=50, compress=1).json()["run"]
        deadline = time.monotonic() + LIMIT_S
        while found.ask("GET", f"runs/{number}").json()["attempts"] < 50:
            assert time.monotonic() < deadline, "50 first attempts should have been made"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=5) == 0
        assert child.stderr is not None
        assert child.stderr.read() == ""
