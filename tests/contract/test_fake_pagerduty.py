"""What holds for the fake PagerDuty as a process, over real HTTP: answers, the visit, faults, control, a quiet log."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from harness.stack.processes import Child, Nursery
from harness.stack.simulators import LocalSimulator
from simulators.pagerduty.faults import FAULTS
from simulators.pagerduty.switches import Switches
from tests.rows import each_row

LIMIT_S = 30.0
"""How long anything may take; nothing here comes near it unless it is broken."""
_NUMBERS = itertools.count(1)
ROOT = Path(__file__).parents[2]


class Client:
    """Someone who speaks to one fake; each request on a connection of its own."""

    def __init__(self, url: str, child: Child) -> None:
        self.url, self.child = url, child
        self._host = urlsplit(url).netloc

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON; (0, None): the connection was reset before an answer."""
        with closing(http.client.HTTPConnection(self._host, timeout=LIMIT_S)) as connection:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            try:
                connection.request(method, path, raw)
                answer = connection.getresponse()
            except ConnectionResetError:
                return 0, None
            return answer.status, json.loads(answer.read())

    def control(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """A control request that works."""
        status, told = self.ask(method, f"/_golive/{path}{'?' + urlencode(query) if query else ''}", body)
        assert status == 200, told
        return told

    def send(self, key: str, action: str = "trigger", **changes: Any) -> tuple[int, Any]:
        """An event."""
        payload = {"summary": "disk full", "source": "db-1", "severity": "critical"}
        told = {"routing_key": key, "event_action": action, "payload": payload, **changes}
        return self.ask("POST", "/v2/enqueue", told)

    def notify(self, key: str, state: str = "ALARM", name: str = "dlq", **changes: Any) -> tuple[int, Any]:
        """An alarm, as SNS delivers it."""
        alarm = {"AlarmName": name, "AlarmArn": f"arn:aws:cloudwatch:us-east-1:1:alarm:{name}", "NewStateValue": state}
        message = {
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": "arn:aws:sns:us-east-1:1:page",
            "Subject": f'{state}: "{name}" in US East (N. Virginia)',
            "Message": json.dumps(alarm),
            **changes,
        }
        return self.ask("POST", f"/integration/{key}/enqueue", message)

    def incidents(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "incidents", **query)["incidents"]
        return found

    def now(self) -> int:
        """The last seq there is."""
        return max(int(self.control("GET", name)["next"]) for name in ("incidents", "calls"))

    def calls(self, after: int, count: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "calls", after=after, count=count, wait_s=LIMIT_S)["calls"]
        return found


def new_key() -> str:
    """An integration nobody else uses."""
    return f"{next(_NUMBERS):032d}"


Start = Callable[..., Client]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts fakes with options; at the end no log may tell of an accident, or of anything else."""
    nurseries: list[Nursery] = []
    logs: list[Path] = []

    def begin(*options: str) -> Client:
        logs.append(tmp_path_factory.mktemp("pagerduty") / "log")
        simulator = LocalSimulator("pagerduty")
        nurseries.append(Nursery(lambda death: None))
        child = simulator.start(nurseries[-1], env=os.environ, log=logs[-1], options=options)
        simulator.wait_ready(child, within_s=LIMIT_S)
        return Client(simulator.url, child)

    try:
        yield begin
    finally:
        for nursery in nurseries:
            nursery.stop_all()
    for log in logs:
        lines = log.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1, "a fake logged more than where it listens:\n" + "\n".join(lines[:60])


@pytest.fixture(scope="module")
def pagerduty(start: Start) -> Client:
    """A fake without options."""
    return start()


@pytest.fixture(scope="module")
def narrow(start: Start) -> Client:
    """A fake with every limit that does not hinder the tests of the others; its clock is an hour ahead."""
    return start(
        *("--max-body-bytes", "1000"),
        *("--rate-per-min", "2"),
        *("--discard-status", "400"),
        *("--topics", "arn:aws:sns:us-east-1:1:page, arn:b"),
        *("--clock-offset-s", "3600"),
    )


class Sns:
    """A server that is asked to confirm, and what it was asked."""

    def __init__(self, status: int, location: str = "") -> None:
        self.asked: list[str] = []
        self.hosts: list[str] = []
        sns = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sns.asked.append(self.path)
                sns.hosts.append(self.headers["Host"])
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def sns() -> Iterator[Callable[..., Sns]]:
    """Starts servers."""
    servers: list[Sns] = []

    def begin(status: int = 200, location: str = "") -> Sns:
        servers.append(Sns(status, location))
        return servers[-1]

    yield begin
    for one in servers:
        one.stop()


def subscribe(client: Client, base: str, key: str | None = None, **changes: Any) -> tuple[int, Any]:
    message = {
        "Type": "SubscriptionConfirmation",
        "Token": "secret-token",
        "TopicArn": "arn:aws:sns:us-east-1:1:page",
        "SubscribeURL": f"{base}/?Action=ConfirmSubscription&Token=secret-token",
        **changes,
    }
    return client.ask("POST", f"/integration/{key or new_key()}/enqueue", message)


def test_events_open_and_close_an_incident(pagerduty: Client) -> None:
    """The answers are PagerDuty's word for word; the incident shows what a responder would see."""
    key = new_key()
    told = {"status": "success", "message": "Event processed", "dedup_key": "disk/db-1"}
    for action in ("trigger", "trigger", "acknowledge", "resolve"):
        assert pagerduty.send(key, action, dedup_key="disk/db-1") == (202, told)
    [incident] = pagerduty.incidents(dedup_key="disk/db-1")
    assert (incident["state"], incident["triggers"], incident["title"]) == ("resolved", 2, "disk full")
    assert (incident["severity"], incident["origin"]) == ("critical", "events_v2")
    assert incident["opened_at_s"] <= incident["acknowledged_at_s"] <= incident["resolved_at_s"]
    assert incident["key_last4"] == key[-4:]
    assert key not in json.dumps(incident)


def test_a_trigger_without_a_key_is_given_one(pagerduty: Client) -> None:
    """Each time another: it is an alert of its own."""
    key = new_key()
    first, second = (pagerduty.send(key)[1]["dedup_key"] for _ in range(2))
    assert first != second
    assert len(pagerduty.incidents(dedup_key=first)) == 1


def test_accepted_does_not_mean_opened(pagerduty: Client) -> None:
    """A resolve that matches nothing is 202 all the same (facts, 4.11)."""
    after = pagerduty.now()
    assert pagerduty.send(new_key(), "resolve", dedup_key="never-opened")[0] == 202
    assert [call["verdict"] for call in pagerduty.calls(after)] == ["unmatched"]
    assert pagerduty.incidents(dedup_key="never-opened") == []


def test_refusals_are_pagerdutys(pagerduty: Client) -> None:
    """400 in the vendor's words, and in the list of calls; nothing was opened."""
    after = pagerduty.now()
    assert pagerduty.send("tooshort") == (
        400,
        {
            "status": "invalid event",
            "message": "Event object is invalid",
            "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
        },
    )
    assert pagerduty.ask("POST", "/v2/enqueue", b"{")[0] == 400
    assert pagerduty.ask("GET", "/v2/enqueue")[0] == 404
    assert pagerduty.ask("POST", "/v2/change/enqueue", {})[0] == 404
    assert [call["verdict"] for call in pagerduty.calls(after, 2)] == ["refused", "refused"]


def test_a_body_that_is_too_large_is_not_read(narrow: Client) -> None:
    with closing(http.client.HTTPConnection(urlsplit(narrow.url).netloc, timeout=LIMIT_S)) as connection:
        connection.putrequest("POST", "/v2/enqueue")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders(b"x" * 1001)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        answer.read()
    assert narrow.send(new_key())[0] == 202


def test_the_limit_of_a_key(narrow: Client) -> None:
    """429 in the vendor's words, for this key only."""
    key = new_key()
    assert [narrow.send(key)[0] for _ in range(3)] == [202, 202, 429]
    assert narrow.send(key)[1]["status"] == "throttle exceeded"
    assert narrow.notify(key)[0] == 429
    assert narrow.send(new_key())[0] == 202


def test_only_known_keys(start: Start) -> None:
    """When the switch says so; a key can be taken back."""
    client, key = start("--strict-keys"), new_key()
    assert client.send(key)[1]["errors"] == ["Invalid routing key"]
    client.control("PUT", f"keys/{key}")
    assert client.send(key)[0] == client.notify(key)[0] == 202
    client.control("DELETE", f"keys/{key}")
    assert client.notify(key)[0] == 400


@each_row("path", ["/integration/{}/enqueue", "/x-ere/{}"])
def test_an_alarm_pages_and_its_end_resolves(pagerduty: Client, path: str) -> None:
    """At both addresses that PagerDuty has for SNS."""
    key, name = new_key(), f"alarm-{next(_NUMBERS)}"
    message = {
        "Type": "Notification",
        "Subject": f'ALARM: "{name}" in EU (Ireland)',
        "Message": json.dumps({"AlarmName": name, "AlarmArn": f"arn:{name}", "NewStateValue": "ALARM"}),
    }
    assert pagerduty.ask("POST", path.format(key), message)[0] == 202
    [incident] = pagerduty.incidents(dedup_key=f"arn:{name}")
    assert (incident["state"], incident["title"], incident["severity"]) == ("triggered", message["Subject"], None)
    assert incident["details"]["AlarmName"] == name
    message = {k: v.replace("ALARM", "OK") for k, v in message.items()}
    assert pagerduty.ask("POST", path.format(key), message)[0] == 202
    assert pagerduty.incidents(dedup_key=f"arn:{name}")[0]["state"] == "resolved"


def test_silence_resolves_nothing(pagerduty: Client) -> None:
    """INSUFFICIENT_DATA leaves the page open (facts, 4.3), and nobody is told."""
    key, name, after = new_key(), f"alarm-{next(_NUMBERS)}", pagerduty.now()
    assert pagerduty.notify(key, "ALARM", name)[0] == pagerduty.notify(key, "INSUFFICIENT_DATA", name)[0] == 202
    assert pagerduty.incidents(after=after)[0]["state"] == "triggered"
    last = pagerduty.calls(after, 2)[-1]
    assert (last["verdict"], last["reason"]) == ("discarded", "INSUFFICIENT_DATA resolves nothing")


def test_discarded_can_be_an_error(narrow: Client) -> None:
    assert narrow.notify(new_key(), Subject="Hello")[0] == 400


def test_a_raw_message_is_none(pagerduty: Client) -> None:
    """With raw delivery SNS sends the alarm alone: the integration needs the envelope (facts, 3.11)."""
    assert pagerduty.ask("POST", f"/integration/{new_key()}/enqueue", {"NewStateValue": "ALARM"})[0] == 400


def test_a_subscription_is_confirmed_by_a_visit(pagerduty: Client, sns: Callable[..., Sns]) -> None:
    """The call is in the list when the visit is over, with what came of it; the token is nowhere."""
    server, after = sns(), pagerduty.now()
    assert subscribe(pagerduty, server.url)[0] == 202
    [call] = pagerduty.calls(after)
    assert (call["kind"], call["verdict"], call["reason"]) == ("SubscriptionConfirmation", "confirmed", None)
    assert server.asked == ["/?Action=ConfirmSubscription&Token=secret-token"]
    assert "secret-token" not in json.dumps(call)


def test_a_visit_that_fails_is_told(pagerduty: Client, sns: Callable[..., Sns]) -> None:
    """No answer, a wrong one, or one that points elsewhere, where nobody goes."""
    elsewhere = sns()
    moved, broken, gone = sns(302, elsewhere.url), sns(500), sns()
    gone.stop()
    for server, reason in ((moved, "SubscribeURL answers 302"), (broken, "SubscribeURL answers 500")):
        after = pagerduty.now()
        subscribe(pagerduty, server.url)
        assert [(one["verdict"], one["reason"]) for one in pagerduty.calls(after)] == [("unconfirmed", reason)]
    after = pagerduty.now()
    subscribe(pagerduty, gone.url)
    assert pagerduty.calls(after)[0]["reason"] == "the GET failed: ConnectionRefusedError"
    assert elsewhere.asked == []


def test_a_url_that_leaves_this_machine_is_not_visited(pagerduty: Client) -> None:
    after = pagerduty.now()
    assert subscribe(pagerduty, "https://sns.us-east-1.amazonaws.com")[0] == 202
    assert "leaves this machine" in pagerduty.calls(after)[0]["reason"]


def test_an_unsubscription_is_never_visited(pagerduty: Client, sns: Callable[..., Sns]) -> None:
    """Its SubscribeURL would subscribe again (facts, 3.4)."""
    server, after = sns(), pagerduty.now()
    subscribe(pagerduty, server.url, Type="UnsubscribeConfirmation")
    assert pagerduty.calls(after)[0]["verdict"] == "unsubscribed"
    assert server.asked == []


def test_a_visit_that_hangs_keeps_nobody_waiting(start: Start) -> None:
    """SNS is answered at once, and the process ends at once."""
    client = start()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(LIMIT_S)
        assert subscribe(client, f"http://127.0.0.1:{mute.getsockname()[1]}")[0] == 202
        with mute.accept()[0]:
            os.kill(client.child.pid, signal.SIGTERM)
            assert client.child.process.wait(LIMIT_S / 6) == 0


def test_only_topics_that_are_listened_to(narrow: Client) -> None:
    assert narrow.notify(new_key())[0] == narrow.notify(new_key(), TopicArn="arn:b")[0] == 202
    assert narrow.notify(new_key(), TopicArn="arn:aws:sns:us-east-1:2:page")[0] == 403


def test_a_forged_message_is_refused(start: Start, sns: Callable[..., Sns]) -> None:
    """With the signature switched on; no certificate is asked of anybody but where they are."""
    server = sns(404)
    client, after = start("--signature", "on", "--cert-at", server.url), 0
    signed = {"SignatureVersion": "2", "Signature": "RkFLRQ==", "SigningCertURL": "https://evil.example/a.pem"}
    assert client.notify(new_key(), **signed)[0] == 403
    assert client.notify(new_key())[0] == 403
    signed["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/a.pem"
    assert client.notify(new_key(), **signed)[0] == 500
    assert subscribe(client, server.url)[0] == 403
    assert server.asked == ["/a.pem"]
    assert server.hosts == ["sns.us-east-1.amazonaws.com"]
    assert {call["verdict"] for call in client.calls(after, 4)} == {"refused"}


def test_who_waits_is_woken(pagerduty: Client) -> None:
    """By the incident, not by a timer."""
    key = new_key()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pagerduty.incidents, dedup_key="waited-for", count=1, wait_s=LIMIT_S)
        pagerduty.send(key, dedup_key="waited-for")
        assert len(waiting.result(LIMIT_S / 2)) == 1


def test_what_was_dropped_is_told(start: Start) -> None:
    client, key = start("--keep-incidents", "1", "--keep-calls", "1"), new_key()
    for name in "ab":
        client.send(key, dedup_key=name)
    told = client.control("GET", "incidents")
    assert ([one["dedup_key"] for one in told["incidents"]], told["dropped"], told["open_dropped"]) == (["b"], 1, 1)
    assert client.control("GET", "incidents", after=told["next"] - 1)["dropped"] == 0
    assert client.control("GET", "calls")["dropped"] == 1


#: What a client sees of each fault, and whether the incident is there; a fault that is not here fails the test.
LAWS = {
    "server_error": (500, False),
    "throttle": (429, False),
    "hang": (0, False),
    "lose_reply": (0, True),
}


@each_row("fault", FAULTS)
@each_row("endpoint", ["sns", "events_v2"])
def test_each_fault_strikes_and_reverts(pagerduty: Client, fault: str, endpoint: str) -> None:
    """Once, unless told otherwise; the other endpoint never meets it."""
    client, key = pagerduty, new_key()
    client.control("DELETE", "faults")  # what a row that failed has left

    def one() -> int:
        return (client.notify(key) if endpoint == "sns" else client.send(key))[0]

    status, worked = LAWS[fault]
    client.control("POST", "faults", {"fault": fault, "endpoint": endpoint, "hang_s": 0.01})
    assert (client.send(new_key()) if endpoint == "sns" else client.notify(new_key()))[0] == 202
    after = client.now()
    assert one() == status
    [call] = client.calls(after)
    assert (call["fault"], call["status"]) == (fault, status)
    assert call["verdict"] == ("triggered" if worked else "failed")
    assert len(client.incidents(after=after)) == worked
    assert one() == 202
    assert client.control("GET", "faults") == {"armed": []}


def test_a_lost_reply_still_visits(pagerduty: Client, sns: Callable[..., Sns]) -> None:
    """The honest work is done."""
    server, after = sns(), pagerduty.now()
    pagerduty.control("POST", "faults", {"fault": "lose_reply"})
    assert subscribe(pagerduty, server.url)[0] == 0
    assert pagerduty.calls(after)[0]["verdict"] == "confirmed"
    pagerduty.control("DELETE", "faults")


def test_faults_are_disarmed(pagerduty: Client) -> None:
    pagerduty.control("POST", "faults", {"fault": "throttle", "for_s": 3600})
    armed = pagerduty.control("GET", "faults")["armed"][0]
    assert (armed["fault"], armed["strikes"], armed["endpoint"]) == ("throttle", None, None)
    assert armed["until_s"] > pagerduty.control("GET", "health")["now_s"]
    assert pagerduty.control("DELETE", "faults") == {"armed": []}


@each_row(
    ("method", "path", "body", "status"),
    [
        ("GET", "incidents?count=-1", None, 400),
        ("GET", "incidents?wait_s=61", None, 400),
        ("GET", "calls?wait_s=nan", None, 400),
        ("GET", "calls?dedup_key=a", None, 400),
        ("POST", "faults", {"fault": "nonsense"}, 400),
        ("POST", "faults", {"fault": "hang", "strikes": 0}, 400),
        ("POST", "faults", {"fault": "hang", "for_s": "NaN"}, 400),
        ("POST", "faults", b"{", 400),
        ("PUT", "keys/short", None, 400),
        ("GET", "nothing", None, 404),
        ("POST", "health", None, 404),
    ],
)
def test_control_says_what_is_wrong(pagerduty: Client, method: str, path: str, body: object, status: int) -> None:
    found, told = pagerduty.ask(method, f"/_golive/{path}", body)
    assert found == status
    assert set(told["error"]) == {"code", "message"}


def test_health_tells_its_clock(narrow: Client, pagerduty: Client) -> None:
    """Shifted as asked for."""
    shifted, plain = (client.control("GET", "health") for client in (narrow, pagerduty))
    assert shifted["name"] == "pagerduty"
    assert 3600 - LIMIT_S < shifted["now_s"] - plain["now_s"] <= 3600


def test_it_ends_at_once_when_told_to(start: Start) -> None:
    """With exit code 0, though a client hangs and another waits in the inbox."""
    client = start()
    client.control("POST", "faults", {"fault": "hang", "hang_s": 3600})
    with contextlib.ExitStack() as stack:
        for method, path in (("POST", "/v2/enqueue"), ("GET", "/_golive/incidents?count=1&wait_s=60")):
            connection = http.client.HTTPConnection(urlsplit(client.url).netloc, timeout=LIMIT_S)
            stack.enter_context(closing(connection)).request(method, path, b"{}")
        assert client.calls(0)[0]["fault"] == "hang"
        os.kill(client.child.pid, signal.SIGTERM)
        assert client.child.process.wait(LIMIT_S / 2) == 0


def test_the_documentation_names_every_option_and_fault() -> None:
    text = (ROOT / "docs" / "fakes_pagerduty.md").read_text(encoding="utf-8")
    for switch in fields(Switches):
        assert f"`--{switch.name.replace('_', '-')}`" in text or f"`--no-{switch.name.replace('_', '-')}`" in text
    for name in FAULTS:
        assert f"`{name}`" in text
