"""What holds for the fake Meta as a process, over real HTTP: the laws of its faults, versions, tokens, and control."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import select
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from harness.errors import HarnessError
from harness.probes.meta import MetaArrivals
from harness.stack.processes import Child, Nursery
from harness.stack.simulators import LocalSimulator
from simulators.meta.errors import TABLE
from simulators.meta.faults import FAULTS
from simulators.meta.switches import Switches
from tests.rows import each_row

LIMIT_S = 30.0
"""How long anything may take; nothing here comes near it unless it is broken."""
DAY_S = 86_400
HASH = sha256(b"maria@example.com").hexdigest()
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What a client sees of one request. `wire`: whole, reset (not a byte came), broken_off (within the body)."""

    wire: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int, int | None]:
        """Status, code, subcode."""
        error = self.json["error"]
        return self.status, error["code"], error.get("error_subcode")

    def in_words(self) -> str:
        """Short enough for a table of laws."""
        if self.wire != "whole":
            return self.wire
        try:
            told = self.json
        except ValueError:
            return f"{self.status} no JSON"
        if "error" in told:
            return f"{self.status} {'/'.join(str(one) for one in self.error[1:] if one)}"
        return f"{self.status} received {told['events_received']}"


class Client:
    """Someone who speaks to one fake; each request on a connection of its own."""

    def __init__(self, url: str, child: Child, clock_offset_s: int = 0) -> None:
        self.child = child
        self.url = url
        self._host = urlsplit(url).netloc
        self._clock_offset_s = clock_offset_s

    def open(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Send a request and leave its answer on the connection."""
        connection = http.client.HTTPConnection(self._host, timeout=LIMIT_S)
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, raw, {"Content-Type": "application/json", **(headers or {})})
        return connection

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        with closing(self.open(method, path, body, headers)) as connection:
            return read(connection)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A control request that works."""
        answer = self.ask(method, f"/_golive/{path}", body)
        assert answer.status == 200, answer.body
        return answer.json

    def event(self, **changes: Any) -> dict[str, Any]:
        """A Purchase that may pass, of an id of its own."""
        return {
            "event_name": "Purchase",
            "event_time": int(time.time()) + self._clock_offset_s - 60,
            "event_id": f"e-{next(_NUMBERS)}",
            "action_source": "website",
            "user_data": {"em": [HASH]},
            "custom_data": {"value": 297.0, "currency": "BRL", "order_id": "o-1"},
            **changes,
        }

    def send(self, pixel: Pixel, *events: Any, version: str = "/v26.0", token: str | None = None) -> Answer:
        """Send events, one of our own if there are none given."""
        body = {"data": list(events or [self.event()]), "access_token": token or pixel.token}
        return self.ask("POST", f"{version}/{pixel.id}/events", body)

    def pixel(self, **token: Any) -> Pixel:
        """A pixel nobody else uses, and its token."""
        number = next(_NUMBERS)
        pixel = Pixel(id=str(900_000_000_000_000 + number), token=f"EAAsecret{number}Zz9")
        self.control("PUT", f"pixels/{pixel.id}", {"tokens": [{"token": pixel.token, **token}]})
        return pixel

    def arm(self, pixel: Pixel, fault: str, **parameters: Any) -> str:
        return str(self.control("POST", f"pixels/{pixel.id}/faults", {"fault": fault, **parameters})["id"])

    def seen(self, pixel: Pixel, *, after: int = 0, count: int = 0, wait_s: float = 0) -> list[dict[str, Any]]:
        query = urlencode({"pixel": pixel.id, "after": after, "count": count, "wait_s": wait_s})
        calls: list[dict[str, Any]] = self.control("GET", f"seen?{query}")["calls"]
        return calls


@dataclass(frozen=True)
class Pixel:
    id: str
    token: str


def read(connection: Any) -> Answer:
    """What comes of a request that was sent; a connection that just ends without a byte is none of the answers."""
    try:
        response = connection.getresponse()
    except http.client.RemoteDisconnected:
        return Answer("closed")
    except ConnectionResetError:
        return Answer("reset")
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        return Answer("whole", response.status, headers, response.read())
    except http.client.IncompleteRead as broken:
        return Answer("broken_off", response.status, headers, broken.partial)


def silent(connection: Any) -> bool:
    """Whether nothing at all has come yet."""
    return not select.select([connection.sock], [], [], 0)[0]


def verdicts(call: dict[str, Any]) -> list[str]:
    return [event["verdict"] for event in call["events"]]


Start = Callable[..., Client]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts fakes with options; at the end no log may tell of an accident."""
    nurseries: list[Nursery] = []
    logs: list[Path] = []

    def begin(*options: str, clock_offset_s: int = 0) -> Client:
        log = tmp_path_factory.mktemp("meta") / "log"
        logs.append(log)
        simulator = LocalSimulator("meta")
        if clock_offset_s:
            options = (*options, "--clock-offset-s", str(clock_offset_s))
        nurseries.append(
            Nursery(lambda death: None)
        )  # one each: a nursery knows children by name, and theirs are alike
        child = simulator.start(nurseries[-1], env=os.environ, log=log, options=options)
        simulator.wait_ready(child, within_s=LIMIT_S)
        return Client(simulator.url, child, clock_offset_s)

    try:
        yield begin
    finally:
        for nursery in nurseries:
            nursery.stop_all()
    for log in logs:
        lines = log.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1, "a fake logged more than where it listens:\n" + "\n".join(lines[:60])


@pytest.fixture(scope="module")
def meta(start: Start) -> Client:
    """A fake without options."""
    return start()


@pytest.fixture(scope="module")
def other(start: Start) -> Client:
    """A fake with every option but `--open` set to something else, three days behind."""
    switches = {
        "version-mode": "strict",
        "auth-status": "400",
        "future-tolerance-s": "600",
        "batch-limit": "2",
        "max-body-bytes": "3000",
        "keep-events": "3",
        "seed": "7",
    }
    return start(*(f"--{name}={value}" for name, value in switches.items()), clock_offset_s=-3 * DAY_S)


# -- faults


@dataclass(frozen=True)
class Law:
    """What a fault does to a call: what the client sees, what the inbox says, whether the events are counted."""

    sees: str
    status: int
    counted: bool
    parameters: dict[str, Any] = field(default_factory=dict)


LAWS = {
    "brown_out": Law("500 2", 500, counted=False),
    "throttle": Law("400 4", 400, counted=False),
    "refusal": Law("400 100/2804003", 400, counted=False, parameters={"error": "too_old"}),
    "slow_body": Law("200 received 1", 200, counted=True, parameters={"over_s": 0.05}),
    "expired_token": Law("401 190/463", 401, counted=False),
    "html_502": Law("502 no JSON", 502, counted=False),
    "html_429": Law("429 no JSON", 429, counted=False),
    "lose_reply": Law("reset", 200, counted=True),
    "hang": Law("reset", 0, counted=False, parameters={"hang_s": 0}),
    "hang_after_work": Law("200 received 1", 200, counted=True, parameters={"hang_s": 0}),
    "reset": Law("reset", 0, counted=False),
    "truncated_json": Law("200 no JSON", 200, counted=True),
    "cut_body": Law("broken_off", 200, counted=True),
    "fewer_received": Law("200 received 0", 200, counted=True),
    "one_event_refused": Law("400 100/2804019", 400, counted=False, parameters={"order_id": "o-1"}),
}
every_fault = each_row("fault", sorted(FAULTS))


def test_every_fault_has_its_law() -> None:
    """A new fault needs a line above."""
    assert set(LAWS) == set(FAULTS)


@every_fault
def test_a_fault_does_what_its_law_says_and_reverts(meta: Client, fault: str) -> None:
    """Two strikes as the law says, then the honest answer; another pixel never notices."""
    law, struck, bystander, event = LAWS[fault], meta.pixel(), meta.pixel(), meta.event()
    meta.arm(struck, fault, strikes=2, **law.parameters)
    met = []
    for _ in range(3):
        met.append(meta.send(struck, event).in_words())
        assert meta.send(bystander).in_words() == "200 received 1"
    assert met == [law.sees, law.sees, "200 received 1"]
    calls = meta.seen(struck)
    assert [(call["status"], call["fault"]) for call in calls] == [(law.status, fault)] * 2 + [(200, None)]
    first, later = ("counted", "duplicate") if law.counted else ("refused", "refused")
    assert [verdicts(call) for call in calls] == [[first], [later], ["duplicate" if law.counted else "counted"]]
    assert all((call["fault"], verdicts(call)) == (None, ["counted"]) for call in meta.seen(bystander))


@every_fault
def test_what_a_fault_refuses_is_told_in_the_inbox_as_to_the_client(meta: Client, fault: str) -> None:
    """Code and subcode of the answer stand in the inbox; without an error in the answer there are none."""
    law, pixel = LAWS[fault], meta.pixel()
    meta.arm(pixel, fault, **law.parameters)
    answer = meta.send(pixel)
    call = meta.seen(pixel)[0]
    refused = answer.wire == "whole" and b'"error"' in answer.body
    assert (call["code"], call["subcode"]) == (answer.error[1:] if refused else (None, None))


@every_fault
def test_a_fault_without_strikes_lasts_until_it_is_disarmed(meta: Client, fault: str) -> None:
    """For ever means more than once; DELETE ends it."""
    law, pixel = LAWS[fault], meta.pixel()
    meta.arm(pixel, fault, strikes=None, **law.parameters)
    assert [meta.send(pixel).in_words() for _ in range(3)] == [law.sees] * 3
    assert meta.control("DELETE", f"pixels/{pixel.id}/faults") == {"armed": 0}
    assert meta.send(pixel).in_words() == "200 received 1"


@every_fault
def test_a_fault_meets_calls_that_cannot_be_read(meta: Client, fault: str) -> None:
    """A broken body is refused or not worked on, and never counted; the fault survives it."""
    law, pixel = LAWS[fault], meta.pixel()
    meta.arm(pixel, fault, strikes=1, **law.parameters)
    meta.ask("POST", f"/v26.0/{pixel.id}/events?access_token={pixel.token}", b"{broken")
    call = meta.seen(pixel)[0]
    assert call["events"] == []
    assert call["status"] != 200
    answer = meta.send(pixel).in_words()
    assert answer == (law.sees if fault == "one_event_refused" else "200 received 1")


@each_row("fault", sorted(name for name, law in LAWS.items() if law.counted))
def test_a_fault_that_works_refuses_what_is_wrong(meta: Client, fault: str) -> None:
    """The honest work is done under it: a bad event is not counted because its answer is lost."""
    pixel = meta.pixel()
    meta.arm(pixel, fault, strikes=1, **LAWS[fault].parameters)
    meta.send(pixel, meta.event(user_data={"em": "plain"}))
    call = meta.seen(pixel)[0]
    assert (call["fault"], call["subcode"], verdicts(call)) == (fault, 2804016, ["refused"])


@each_row(("fault", "counted"), [("hang", False), ("hang_after_work", True)])
def test_a_hanging_call_is_in_the_inbox_before_its_answer(meta: Client, fault: str, counted: bool) -> None:
    """Who waits for the call is woken while its client still waits; the client may give up and come again."""
    pixel, event = meta.pixel(), meta.event()
    meta.arm(pixel, fault, strikes=1, hang_s=3600)
    body = {"data": [event], "access_token": pixel.token}
    with closing(meta.open("POST", f"/v26.0/{pixel.id}/events", body)) as connection:
        (call,) = meta.seen(pixel, count=1, wait_s=LIMIT_S)
        assert verdicts(call) == ["counted" if counted else "refused"]
        assert silent(connection)
    assert meta.send(pixel, event).in_words() == "200 received 1"
    assert verdicts(meta.seen(pixel)[1]) == ["duplicate" if counted else "counted"]


def test_a_throttle_tells_when_to_come_back(meta: Client) -> None:
    """Usage at 100 % and the minutes asked for, for either code."""
    for code, subcode in ((4, None), (80004, 2446079)):
        pixel = meta.pixel()
        meta.arm(pixel, "throttle", code=code, regain_minutes=17)
        answer = meta.send(pixel)
        assert answer.error == (400, code, subcode)
        assert json.loads(answer.headers["x-app-usage"])["call_count"] == 100
        ((usage,),) = json.loads(answer.headers["x-business-use-case-usage"]).values()
        assert usage["estimated_time_to_regain_access"] == 17


def test_an_html_page_says_that_it_is_one(meta: Client) -> None:
    """The content type is the page's."""
    pixel = meta.pixel()
    meta.arm(pixel, "html_502")
    assert meta.send(pixel).headers["content-type"].startswith("text/html")


def test_a_poisoned_order_refuses_its_batch_and_no_other(meta: Client) -> None:
    """The answer names the place; a batch without the order passes and uses up no strike."""
    pixel = meta.pixel()
    poison = meta.event(custom_data={"value": 1, "currency": "BRL", "order_id": "o-poison"})
    meta.arm(pixel, "one_event_refused", order_id="o-poison", strikes=1)
    assert meta.send(pixel).in_words() == "200 received 1"
    answer = meta.send(pixel, meta.event(), poison)
    assert "$['data'][1]" in answer.json["error"]["error_user_msg"]
    assert b"o-poison" not in answer.body
    assert meta.send(pixel, meta.event(), poison).in_words() == "200 received 2"


def test_fewer_received_may_miss_more_than_there_are(meta: Client) -> None:
    """Two of three are missing, then all of one; below nothing there is nothing."""
    pixel = meta.pixel()
    meta.arm(pixel, "fewer_received", missing=2)
    events = [meta.event() for _ in range(3)]
    assert [meta.send(pixel, *events).in_words(), meta.send(pixel).in_words()] == ["200 received 1", "200 received 0"]
    assert verdicts(meta.seen(pixel)[0]) == ["counted"] * 3


def test_the_told_expiry_leaves_the_token_alive(meta: Client) -> None:
    """The token answers for itself while its pixel says 463."""
    pixel = meta.pixel()
    meta.arm(pixel, "expired_token")
    assert meta.send(pixel).error == (401, 190, 463)
    assert meta.ask("GET", f"/v26.0/me?access_token={pixel.token}").status == 200


def test_faults_queue_up(meta: Client) -> None:
    """The one armed first strikes first; each has an id of its own."""
    pixel = meta.pixel()
    ids = [meta.arm(pixel, fault, strikes=1) for fault in ("brown_out", "html_502")]
    assert len(set(ids)) == 2
    met = [meta.send(pixel).in_words() for _ in range(3)]
    assert met == [LAWS["brown_out"].sees, LAWS["html_502"].sees, "200 received 1"]


def test_probability_follows_its_seed(meta: Client) -> None:
    """Same seed, same pattern on another pixel; 0 never strikes; a miss uses up no strike."""

    def pattern(**arming: Any) -> list[int]:
        pixel = meta.pixel()
        meta.arm(pixel, "brown_out", **arming)
        return [meta.send(pixel).status for _ in range(24)]

    first = pattern(probability=0.5, seed=11)
    assert first == pattern(probability=0.5, seed=11) != pattern(probability=0.5, seed=12)
    assert pattern(probability=0.0) == [200] * 24
    assert sorted(pattern(probability=0.5, seed=11, strikes=3)) == [200] * 21 + [500] * 3


# -- what an honest call is answered


def test_a_success_and_its_headers(meta: Client) -> None:
    """The three members every SDK reads, a fresh trace id, and the headers Graph sends."""
    pixel = meta.pixel()
    answers = [meta.send(pixel, meta.event(), meta.event()) for _ in range(2)]
    for answer in answers:
        assert answer.status == 200
        assert set(answer.json) == {"events_received", "messages", "fbtrace_id"}
        assert (answer.json["events_received"], answer.json["messages"]) == (2, [])
        assert re.fullmatch(r"A[A-Za-z0-9_-]{22}", answer.json["fbtrace_id"])
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["cache-control"] == "no-store"
        assert {"x-fb-request-id", "x-fb-trace-id", "x-fb-rev", "pragma", "expires"} <= set(answer.headers)
        assert "www-authenticate" not in answer.headers
    assert answers[0].json["fbtrace_id"] != answers[1].json["fbtrace_id"]


def test_a_refusal_and_its_headers(meta: Client) -> None:
    """About the payload all members are there, the trace id inside; about tokens the four short ones."""
    pixel = meta.pixel()
    payload = meta.send(pixel, meta.event(event_time=1))
    assert payload.error == (400, 100, 2804003)
    assert set(payload.json) == {"error"}
    assert set(payload.json["error"]) == {
        "message", "type", "code", "error_subcode", "is_transient", "error_user_title", "error_user_msg", "fbtrace_id"
    }  # fmt: skip
    assert payload.headers["www-authenticate"] == 'OAuth "Facebook Platform" "invalid_request" "Invalid parameter"'
    token = meta.send(pixel, token="EAAunknown")
    assert set(token.json["error"]) == {"message", "type", "code", "error_subcode", "fbtrace_id"}
    assert token.headers["www-authenticate"].startswith('OAuth "Facebook Platform" "invalid_token" "Error validating')


def test_one_bad_event_refuses_its_batch(meta: Client) -> None:
    """Nothing of it counts, and the good one counts when it comes again."""
    pixel, good = meta.pixel(), meta.event()
    assert meta.send(pixel, good, meta.event(custom_data={})).error == (400, 100, 2804009)
    assert meta.send(pixel, good, good).in_words() == "200 received 2"
    assert [verdicts(call) for call in meta.seen(pixel)] == [["refused", "refused"], ["counted", "duplicate"]]


def test_duplicates_are_the_pixels_own(meta: Client) -> None:
    """The same event counts once at each of two pixels, and the client is told nothing of it."""
    one, two, event = meta.pixel(), meta.pixel(), meta.event()
    assert {meta.send(pixel, event).in_words() for pixel in (one, one, two)} == {"200 received 1"}
    assert [verdicts(call) for pixel in (one, two) for call in meta.seen(pixel)] == [
        ["counted"],
        ["duplicate"],
        ["counted"],
    ]


def test_calls_at_once_count_once(meta: Client) -> None:
    """Twenty clients with the same event: one counts."""
    pixel, event = meta.pixel(), meta.event()
    with ThreadPoolExecutor(20) as clients:
        found = list(clients.map(lambda _: meta.send(pixel, event).in_words(), range(20)))
    assert found == ["200 received 1"] * 20
    assert sorted(verdicts(call)[0] for call in meta.seen(pixel)) == ["counted"] + ["duplicate"] * 19


def test_the_inbox_shows_what_was_sent(meta: Client) -> None:
    """Every member of docs/contracts.md, what was sent unchanged, and of the token its last four."""
    pixel, event = meta.pixel(), meta.event(event_source_url="https://example.com/?q=ção")
    meta.send(pixel, event)
    (call,) = meta.seen(pixel)
    asked = {"seq", "pixel", "at_s", "source", "token_last4", "test_event_code", "events"}
    assert set(call) == asked | {"status", "code", "subcode", "fault"}
    assert call["token_last4"] == pixel.token[-4:]
    (told,) = call["events"]
    added = {"verdict": "counted", "data_processing_options": None, "opt_out": None}
    assert told == {
        **event,
        **added,
        "complaints": told["complaints"],
        "missing_keys": told["missing_keys"],
        "rest": {},
    }
    assert abs(call["at_s"] - time.time()) < LIMIT_S


def test_what_is_nested_deeply_can_be_looked_at(meta: Client) -> None:
    """Custom properties may hold anything; the inbox still answers, and tells the verdict, at every depth."""
    for depth in (200, *range(240, 260), 500, 1000, 1014):
        pixel, event = meta.pixel(), meta.event()
        deep = json.dumps(event).replace('"o-1"', '"o-1", "deep": ' + "[" * depth + "]" * depth)
        body = f'{{"access_token": "{pixel.token}", "data": [{deep}]}}'
        assert meta.ask("POST", f"/v26.0/{pixel.id}/events", body.encode()).in_words() == "200 received 1"
        (call,) = meta.seen(pixel)
        assert (call["events"][0]["event_id"], verdicts(call)) == (event["event_id"], ["counted"])
        assert depth > 200 or call["events"][0]["custom_data"]["deep"]


@each_row(
    ("body", "code", "subcode"),
    [
        (b'{"data": [}', 100, None),
        (b"[1]", 100, None),
        (b"{}", 100, None),
        (b"", 100, None),
        (b'{"data": {}}', 100, None),
        (b'{"data": []}', 100, 2804019),
        (b'{"data": [7]}', 100, 2804019),
        (json.dumps({"data": [{}] * 1001}).encode(), 100, 2804019),
        (b"\x00\xff" * 50, 100, None),
    ],
)
def test_a_body_that_is_no_batch(meta: Client, body: bytes, code: int, subcode: int | None) -> None:
    """Refused with code 100, and the connection serves the next request."""
    pixel = meta.pixel()
    path = f"/v26.0/{pixel.id}/events?access_token={pixel.token}"
    with closing(meta.open("POST", path, body)) as connection:
        assert read(connection).error == (400, code, subcode)
        good = json.dumps({"data": [meta.event()]})
        connection.request("POST", path, good, {"Content-Type": "application/json"})
        assert read(connection).in_words() == "200 received 1"


@each_row(
    ("method", "path", "error"),
    [
        ("GET", "/v26.0/{pixel}/events", (400, 100, 33)),
        ("DELETE", "/v26.0/{pixel}/events", (400, 100, 33)),
        ("GET", "/v26.0/{pixel}", (400, 100, None)),
        ("GET", "/v26.0/{pixel}/dataset_quality", (400, 2500, None)),
        ("POST", "/v26.0/{pixel}", (400, 2500, None)),
        ("GET", "/v26.0", (400, 2500, None)),
        ("GET", "/", (400, 2500, None)),
        ("GET", '/%22%0d%0aX-Evil:%201"', (400, 2500, None)),
    ],
)
def test_what_is_not_served(meta: Client, method: str, path: str, error: tuple[int, int, int | None]) -> None:
    """Other methods and edges are told as Graph tells them, and nothing of them stands in the inbox."""
    pixel = meta.pixel()
    answer = meta.ask(method, path.format(pixel=pixel.id) + f"?access_token={pixel.token}")
    assert answer.error == error
    assert "x-evil" not in answer.headers
    assert answer.headers["www-authenticate"].count(chr(34)) == 6  # three quoted strings, whatever the path holds
    assert meta.seen(pixel) == []


# -- versions


@each_row("number", range(21, 27))
def test_a_version_that_lives_answers_as_itself(meta: Client, number: int) -> None:
    """Without a warning."""
    answer = meta.send(meta.pixel(), version=f"/v{number}.0")
    assert (answer.status, answer.headers["facebook-api-version"]) == (200, f"v{number}.0")
    assert "x-ad-api-version-warning" not in answer.headers


@each_row("version", ["/v16.0", "/v20.0"])
def test_a_version_that_is_gone(meta: Client, other: Client, version: str) -> None:
    """Served by v21 with a warning, or refused when strict; the refused call is not in the inbox."""
    answer = meta.send(meta.pixel(), version=version)
    assert (answer.status, answer.headers["facebook-api-version"]) == (200, "v21.0")
    assert answer.headers["x-ad-api-version-warning"].endswith(f"v21.0 as {version[1:]} has been deprecated.")
    pixel = other.pixel()
    assert other.send(pixel, version=version).error == (400, 2635, None)
    assert other.seen(pixel) == []


def test_other_versions(meta: Client, other: Client) -> None:
    """None is served by the oldest, one of the future is an unknown path; whether strict or not."""
    for client in (meta, other):
        pixel = client.pixel()
        answer = client.send(pixel, version="")
        assert (answer.status, answer.headers["facebook-api-version"]) == (200, "v21.0")
        assert client.send(pixel, version="/v99.0").error == (400, 2500, None)


# -- tokens


@each_row(
    ("token", "error"),
    [
        ("EAAunknown", (401, 190, 463)),
        ("IGAAunknown", (401, 190, None)),
        (None, (400, 104, None)),
    ],
)
def test_a_token_that_is_not_the_pixels(meta: Client, token: str | None, error: tuple[int, int, int | None]) -> None:
    """The token is judged before the pixel and before the payload; what was tried stands in the inbox."""
    pixel = meta.pixel()
    body = {"data": [meta.event(event_time=1)], "access_token": token}
    for id_ in (pixel.id, "900000000000000"):
        assert meta.ask("POST", f"/v26.0/{id_}/events", body).error == error
    (call,) = meta.seen(pixel)
    assert ((call["status"], call["code"], call["subcode"]), verdicts(call)) == (error, ["refused"])


def test_a_token_of_another_pixel(meta: Client) -> None:
    """100/33, as for a pixel that does not exist."""
    one, two = meta.pixel(), meta.pixel()
    assert meta.send(one, token=two.token).error == (400, 100, 33)
    assert meta.send(Pixel(id="900000000000000", token=two.token)).error == (400, 100, 33)


@each_row(
    ("state", "subcode"), [("expired", 463), ("password_changed", 460), ("logged_out", 467), ("app_removed", 458)]
)
def test_a_token_dies_and_is_renewed(meta: Client, other: Client, state: str, subcode: int) -> None:
    """Its status is a switch; after renewal the same event counts."""
    for client, status in ((meta, 401), (other, 400)):
        pixel, event = client.pixel(), client.event()
        assert client.control("PUT", f"tokens/{pixel.token}", {"state": state}) == {"state": state}
        answer = client.send(pixel, event)
        assert answer.error == (status, 190, subcode)
        assert pixel.token.encode() not in answer.body
        assert client.control("PUT", f"tokens/{pixel.token}", {"state": "valid"}) == {"state": "valid"}
        assert client.send(pixel, event).in_words() == "200 received 1"


def test_a_token_runs_out_on_the_fakes_clock(meta: Client, other: Client) -> None:
    """An hour ago by the wall clock is still to come for a fake three days behind."""
    an_hour_ago = time.time() - 3600
    assert meta.send(meta.pixel(expires_at_s=an_hour_ago)).error == (401, 190, 463)
    assert other.send(other.pixel(expires_at_s=an_hour_ago)).in_words() == "200 received 1"


@each_row("place", ["query", "body", "header", "form"])
def test_where_a_token_may_stand(meta: Client, place: str) -> None:
    """Query, JSON, Bearer header, form."""
    pixel, path = meta.pixel(), "/v26.0/{}/events"
    events = [meta.event()]
    body: object = {"data": events}
    headers = {}
    match place:
        case "query":
            path += f"?access_token={pixel.token}"
        case "body":
            body = {"data": events, "access_token": pixel.token}
        case "header":
            headers = {"Authorization": f"Bearer {pixel.token}"}
        case "form":
            body = urlencode({"data": json.dumps(events), "access_token": pixel.token}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert meta.ask("POST", path.format(pixel.id), body, headers).in_words() == "200 received 1"


def test_who_a_token_is(meta: Client) -> None:
    """/me, /debug_token of a living and of a dead one, and a new token for an old one, as the facts have them."""
    pixel = meta.pixel()
    mine = f"access_token={pixel.token}"
    user_id = meta.ask("GET", f"/v26.0/me?{mine}").json["id"]
    about = meta.ask("GET", f"/v26.0/debug_token?{mine}&input_token={pixel.token}").json["data"]
    assert (about["is_valid"], about["user_id"], about["expires_at"]) == (True, user_id, 0)
    assert about["granular_scopes"][0]["target_ids"] == [pixel.id]
    query = f"grant_type=fb_exchange_token&client_id=1&client_secret=s&fb_exchange_token={pixel.token}"
    fresh = meta.ask("GET", f"/v26.0/oauth/access_token?{query}").json
    assert (fresh["token_type"], fresh["expires_in"]) == ("bearer", 5183944)
    assert meta.send(pixel, token=fresh["access_token"]).in_words() == "200 received 1"
    meta.control("PUT", f"tokens/{pixel.token}", {"state": "logged_out"})
    told = meta.ask("GET", f"/v26.0/debug_token?access_token=1|secret&input_token={pixel.token}").json["data"]
    assert (told["is_valid"], told["error"]["subcode"]) == (False, 467)
    assert meta.ask("GET", f"/v26.0/oauth/access_token?{query}").error == (401, 190, 467)


@each_row("missing", ["client_id", "client_secret", "grant_type", "fb_exchange_token"])
def test_an_exchange_that_lacks_something(meta: Client, missing: str) -> None:
    """Each is asked for by name."""
    whole = {"client_id": "1", "client_secret": "s", "grant_type": "fb_exchange_token", "fb_exchange_token": "EAAx"}
    del whole[missing]
    answer = meta.ask("GET", f"/v26.0/oauth/access_token?{urlencode(whole)}")
    assert answer.status == 400
    assert missing in answer.json["error"]["message"]


def test_a_user_may_read_the_pixel(meta: Client) -> None:
    """A token made in the Events Manager may not."""
    reader, writer = meta.pixel(kind="USER"), meta.pixel()
    assert meta.ask("GET", f"/v26.0/{reader.id}/?access_token={reader.token}").json == {"id": reader.id}
    assert meta.ask("GET", f"/v26.0/{writer.id}/?access_token={writer.token}").error == (400, 100, None)


@each_row("app", ["2035997890260603", "123", "None"])
def test_an_sdk_may_report_its_crashes(meta: Client, app: str) -> None:
    """Of any app, and of none, which the Python SDK spells None; without a token."""
    body = urlencode({"bizsdk_crash_report": "{}"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert meta.ask("POST", f"/v26.0/{app}/instruments", body, headers).json == {"success": True}


# -- options


def test_limits_are_options(other: Client) -> None:
    """Batch of two, ten minutes ahead, by the fake's own clock."""
    pixel, now_s = other.pixel(), int(other.control("GET", "health")["now_s"])
    assert abs(now_s - (time.time() - 3 * DAY_S)) < LIMIT_S
    assert other.send(pixel, *(other.event() for _ in range(3))).error == (400, 100, 2804019)
    assert other.send(pixel, other.event(event_time=now_s + 500)).status == 200
    assert other.send(pixel, other.event(event_time=now_s + 700)).error == (400, 100, 2804004)
    assert other.send(pixel, other.event(event_time=now_s - 6 * DAY_S)).status == 200


@each_row("chunked", [False, True])
def test_a_body_too_large(other: Client, chunked: bool) -> None:
    """Refused, the connection ends, and the next client is served."""
    pixel, body = other.pixel(), json.dumps({"data": [], "pad": "x" * 5000}).encode()
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    raw = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    answer = other.ask("POST", f"/v26.0/{pixel.id}/events?access_token={pixel.token}", raw, headers)
    assert answer.error == (400, 100, None)
    assert answer.headers["connection"] == "close"
    assert other.seen(pixel)[0]["events"] == []
    assert other.send(pixel).in_words() == "200 received 1"


def test_a_body_too_large_is_not_waited_for(other: Client) -> None:
    """Refused as soon as the limit is passed, whatever is still to come."""
    pixel = other.pixel()
    headers = {"Content-Length": "9000"}
    path = f"/v26.0/{pixel.id}/events?access_token={pixel.token}"
    with closing(other.open("POST", path, b"{" * 4000, headers)) as connection:
        assert read(connection).error == (400, 100, None)


def test_a_client_that_goes_away_leaves_nothing(other: Client) -> None:
    """Half a body is no call."""
    pixel = other.pixel()
    other.open("POST", f"/v26.0/{pixel.id}/events", b'{"data": [', {"Content-Length": "2000"}).close()
    assert other.send(pixel).in_words() == "200 received 1"
    assert len(other.seen(pixel)) == 1


def test_the_inbox_keeps_the_newest_and_says_what_it_dropped(other: Client) -> None:
    """Three events are kept; who asks from before them is told that some are missing."""
    pixel = other.pixel()
    for _ in range(5):
        other.send(pixel)
    told = other.control("GET", f"seen?pixel={pixel.id}")
    seqs = [call["seq"] for call in told["calls"]]
    assert (len(seqs), told["dropped"]) == (3, 2)
    assert other.control("GET", f"seen?pixel={pixel.id}&after={seqs[0]}")["dropped"] == 0


def test_open_takes_who_comes(start: Start) -> None:
    """Any pixel, any token that looks like one, nothing registered; a token that does not is refused."""
    free = start("--open")
    assert free.send(Pixel(id="1", token="EAAanything")).in_words() == "200 received 1"
    assert free.send(Pixel(id="1", token="anything")).error == (401, 190, None)


def test_same_seed_same_traces(start: Start, meta: Client) -> None:
    """Trace ids are repeatable, and another seed makes others."""

    def trace(client: Client) -> str:
        return str(client.ask("GET", "/v26.0/nothing").json["error"]["fbtrace_id"])

    first, again, another = (trace(start(f"--seed={seed}")) for seed in (5, 5, 6))
    assert first == again != another


@each_row("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_when_told_to(start: Start, number: signal.Signals) -> None:
    """With exit code 0, though a client hangs and another waits in the inbox."""
    client = start()
    pixel = client.pixel()
    client.arm(pixel, "hang", hang_s=3600)
    body = {"data": [client.event()], "access_token": pixel.token}
    waiting = f"/_golive/seen?pixel={pixel.id}&count=2&wait_s=60"
    with (
        closing(client.open("POST", f"/v26.0/{pixel.id}/events", body)),
        closing(client.open("GET", waiting)),
    ):
        assert client.seen(pixel, count=1, wait_s=LIMIT_S)
        client.child.expected = True
        client.child.send(number)
        assert client.child.process.wait(timeout=LIMIT_S) == 0


# -- control


def test_waiting_for_a_call_ends_with_the_call(meta: Client) -> None:
    """A long poll for the second call outlives the first and is answered by the second."""
    pixel = meta.pixel()
    with closing(meta.open("GET", f"/_golive/seen?pixel={pixel.id}&count=2&wait_s=60")) as poll:
        meta.send(pixel)
        meta.send(meta.pixel())
        assert len(meta.seen(pixel)) == 1
        assert silent(poll)
        meta.send(pixel)
        assert len(read(poll).json["calls"]) == 2


def test_waiting_is_for_what_is_newer(meta: Client) -> None:
    """`after` counts; without enough calls the time runs out and what there is is told."""
    pixel = meta.pixel()
    for _ in range(2):
        meta.send(pixel)
    first, second = (call["seq"] for call in meta.seen(pixel, count=2, wait_s=LIMIT_S))
    assert first < second
    assert [call["seq"] for call in meta.seen(pixel, after=first, count=1, wait_s=LIMIT_S)] == [second]
    assert [call["seq"] for call in meta.seen(pixel, after=first, count=2, wait_s=0.02)] == [second]
    assert meta.seen(pixel, after=second, count=1, wait_s=0.02) == []
    assert meta.seen(pixel, after=second, count=1) == []


def test_arrivals_are_paged_without_loss(start: Start) -> None:
    """Pages of any size give every event of every pixel once, in order; a call is never torn apart."""
    client = start()
    pixels = [client.pixel(), client.pixel()]
    for size in (1, 3, 2):
        for pixel in pixels:
            client.send(pixel, *(client.event() for _ in range(size)))
    client.send(pixels[0], client.event(event_name=""))
    whole = client.control("GET", "arrivals")
    assert (len(whole["arrivals"]), whole["dropped"]) == (13, 0)
    sent = [event for pixel in pixels for call in client.seen(pixel) for event in call["events"]]
    assert {row[2] for row in whole["arrivals"]} == {event["event_id"] for event in sent}
    seq, pixel_id, _, name, order_id, received_at_s, counted, answered_at_s = whole["arrivals"][0]
    assert answered_at_s == received_at_s  # no latency here
    assert (seq, pixel_id, name, order_id, counted) == (1, pixels[0].id, "Purchase", "o-1", True)
    assert abs(received_at_s - time.time()) < LIMIT_S
    assert whole["arrivals"][-1][6] is False
    for limit in (1, 2, 4, 100):
        rows, after = [], 0
        for _ in range(len(sent) + 1):
            page = client.control("GET", f"arrivals?after={after}&limit={limit}")
            rows += page["arrivals"]
            after = page["next"]
        assert rows == whole["arrivals"]
        assert page == {"arrivals": [], "next": after, "dropped": 0, "forgotten_ids": 0}


def test_ids_that_it_had_to_forget_are_told_and_prove_nothing(start: Start) -> None:
    """Else the fake counts one twice, and the target is told that it has sent it twice."""
    client = start("--keep-ids", "2")
    pixel = client.pixel()
    for _ in range(3):
        client.send(pixel, client.event(), client.event())
    assert client.control("GET", "arrivals")["forgotten_ids"] == 4
    with pytest.raises(HarnessError, match="forgot 4 event ids"):
        MetaArrivals(client.url).all()


def test_latency_is_drawn_per_pixel_or_for_all(start: Start) -> None:
    """Work is done at once and answered late; a pixel's own latency wins over that of all, null is none."""
    client = start()
    own, common = client.pixel(), client.pixel()
    late = {"median_ms": 600_000, "p95_ms": 600_000}

    def kept_back(pixel: Pixel) -> bool:
        known = len(client.seen(pixel))
        body = {"data": [client.event()], "access_token": pixel.token}
        with closing(client.open("POST", f"/v26.0/{pixel.id}/events", body)) as connection:
            assert len(client.seen(pixel, count=known + 1, wait_s=LIMIT_S)) == known + 1
            assert client.send(fast).status == 200  # time enough for an answer that is not kept back
            return silent(connection)

    def set_own(**latency: Any) -> None:
        client.control("PUT", f"pixels/{own.id}", {"tokens": [{"token": own.token}], **latency})

    fast = client.pixel()
    client.control("PUT", f"pixels/{fast.id}", {"tokens": [{"token": fast.token}], "latency": FAST})
    assert client.control("PUT", "latency", late) == {"latency": {**late, "seed": 0}}
    set_own(latency=FAST)
    assert client.send(own).status == 200
    assert kept_back(common)
    assert client.control("PUT", "latency", b"null") == {"latency": None}
    assert client.send(common).status == 200
    set_own(latency=late)
    set_own()
    assert kept_back(own)
    set_own(latency=None)
    assert client.send(own).status == 200


FAST = {"median_ms": 0.001, "p95_ms": 0.001}
SECRET, PERSON = "EAAsecretSecret9", "maria@example.com"
BAD_CONTROL = [
    ("PUT", "pixels/1", b"{broken " + PERSON.encode()),
    ("PUT", "pixels/1", b"\xff"),
    ("PUT", "pixels/1", b""),
    ("PUT", "pixels/1", {}),
    ("PUT", "pixels/1", {"tokens": SECRET}),
    ("PUT", "pixels/1", {"tokens": [SECRET]}),
    ("PUT", "pixels/1", {"tokens": [{"token": ""}]}),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "state": PERSON}]}),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "kind": PERSON}]}),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "expires_at_s": PERSON}]}),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "expires_at_s": -1}]}),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "expires_at_s": 1e300}]}),
    ("PUT", "pixels/1", b'{"tokens": [{"token": "EAAsecretSecret9", "expires_at_s": NaN}]}'),
    ("PUT", "pixels/1", b'{"tokens": [{"token": "EAAsecretSecret9", "expires_at_s": Infinity}]}'),
    ("PUT", "pixels/1", {"tokens": [{"token": SECRET, "odd": PERSON}]}),
    ("PUT", "pixels/1", {"tokens": [], "odd": PERSON}),
    ("PUT", "pixels/1", {"tokens": [], "latency": {"median_ms": 2, "p95_ms": 1}}),
    ("PUT", "tokens/EAAknown", {"state": SECRET}),
    ("PUT", "tokens/EAAknown", {"state": "valid", "expires_at_s": -1e300}),
    ("PUT", "tokens/EAAknown", {}),
    ("POST", "pixels/1/faults", {"fault": SECRET}),
    ("POST", "pixels/1/faults", {}),
    ("POST", "pixels/1/faults", [PERSON]),
    ("POST", "pixels/1/faults", {"fault": "brown_out", "strikes": 0}),
    ("POST", "pixels/1/faults", {"fault": "brown_out", "strikes": SECRET}),
    ("POST", "pixels/1/faults", {"fault": "brown_out", "probability": 1.01}),
    ("POST", "pixels/1/faults", b'{"fault": "brown_out", "probability": NaN}'),
    ("POST", "pixels/1/faults", {"fault": "brown_out", "hang_s": 1}),
    ("POST", "pixels/1/faults", {"fault": "hang", "hang_s": -1}),
    ("POST", "pixels/1/faults", {"fault": "hang", "hang_s": SECRET}),
    ("POST", "pixels/1/faults", {"fault": "hang", "hang_s": True}),
    ("POST", "pixels/1/faults", {"fault": "hang", "hang_s": 10**400}),
    ("POST", "pixels/1/faults", b'{"fault": "hang", "hang_s": NaN}'),
    ("POST", "pixels/1/faults", {"fault": "throttle", "code": 18}),
    ("POST", "pixels/1/faults", {"fault": "throttle", "regain_minutes": 10**30}),
    ("POST", "pixels/1/faults", {"fault": "fewer_received", "missing": 0}),
    ("POST", "pixels/1/faults", {"fault": "one_event_refused"}),
    ("POST", "pixels/1/faults", {"fault": "one_event_refused", "order_id": 7}),
    ("PUT", "latency", {"median_ms": 1}),
    ("PUT", "latency", {"median_ms": 0, "p95_ms": 1}),
    ("PUT", "latency", {"median_ms": SECRET, "p95_ms": 1}),
    ("GET", "seen", None),
    ("GET", f"seen?pixel=1&after={SECRET}", None),
    ("GET", "seen?pixel=1&after=-1", None),
    ("GET", "seen?pixel=1&count=-1", None),
    ("GET", "seen?pixel=1&wait_s=61", None),
    ("GET", "seen?pixel=1&wait_s=nan", None),
    ("GET", f"seen?pixel=1&odd={SECRET}", None),
    ("GET", "arrivals?limit=0", None),
    ("GET", "arrivals?limit=1000001", None),
    ("GET", f"arrivals?after={SECRET}", None),
]


@each_row(("method", "path", "body"), BAD_CONTROL)
def test_bad_input_is_told_without_quoting_it(meta: Client, method: str, path: str, body: object) -> None:
    """400 and a sentence; nothing that was sent as a value comes back."""
    meta.control("PUT", "pixels/7", {"tokens": [{"token": "EAAknown"}]})
    answer = meta.ask(method, f"/_golive/{path}", body)
    assert answer.status == 400
    assert answer.json["error"]["code"] == "bad_request"
    assert answer.json["error"]["message"]
    assert not [secret for secret in (SECRET, PERSON) if secret.encode() in answer.body]


@each_row(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("POST", "health"),
        ("GET", "pixels/1"),
        ("GET", "pixels/1/faults"),
        ("DELETE", "tokens/EAAsecretSecret9"),
        ("PUT", "tokens/EAAsecretSecret9"),
    ],
)
def test_what_control_does_not_know(meta: Client, method: str, path: str) -> None:
    """404, and a token in the path is not quoted."""
    answer = meta.ask(method, f"/_golive/{path}", {"state": "valid"})
    assert answer.status == 404
    assert answer.json["error"]["code"].startswith("unknown_")
    assert SECRET.encode() not in answer.body


def test_nothing_of_a_person_or_a_token_is_answered(meta: Client) -> None:
    """Whatever is wrong with an event, the answer and its headers name places and never values."""
    pixel = meta.pixel()
    person = "Mariazinha"
    bad: list[Any] = [
        person,
        meta.event(user_data={"fn": person}),
        meta.event(user_data={"em": HASH, "external_id": {person: 1}}),
        meta.event(user_data={"em": HASH, "lead_id": person}),
        meta.event(user_data=person),
        meta.event(event_name=[person]),
        meta.event(action_source=person),
        meta.event(custom_data={"value": person}),
        meta.event(custom_data={"value": 1, "currency": person}),
        meta.event(custom_data={"value": 1, "currency": "BRL", "contents": [person]}),
    ]
    for event in bad:
        answer = meta.send(pixel, event)
        assert answer.status == 400
        assert person not in answer.body.decode() + str(answer.headers)
        assert pixel.token not in answer.body.decode() + str(answer.headers)


# -- documentation


def _section() -> str:
    page = (Path(__file__).parents[2] / "docs" / "fakes.md").read_text(encoding="utf-8")
    return page.partition("\n## Meta\n")[2].partition("\n## ")[0]


def test_the_documentation_lists_every_option() -> None:
    """Each switch is there, spelt as an option; so are those of the process."""
    options = set(re.findall(r"`--([a-z-]+)", _section()))
    switches = {one.name.replace("_", "-") for one in fields(Switches)}
    assert options == switches | {"port", "host", "clock-offset-s", "keep-events", "keep-arrivals", "keep-ids", "seed"}


def test_the_error_table_is_of_one_piece() -> None:
    """Answers about the payload carry a title and a sentence; those about tokens neither."""
    for name, row in TABLE.items():
        assert (row.title is None) == (row.detail is None), name
        assert row.code != 190 or row.title is None, name
