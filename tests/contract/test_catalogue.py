"""docs/catalogue.md is what the code says, and everything in it happens: over HTTP, from fakes that run as processes.

The walks take their rows from the registries that the page is written from. A row that no step can produce fails here.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import stripe

from harness.pytest_fixtures import GatewayFixture
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator
from reference_impl.gateways import BadSignature, MalformedBody, RawDelivery, adapter
from simulators import catalogue
from simulators.gateways import _catalogue, gateway
from simulators.gateways._switches import Switch, switches, with_switches
from simulators.gateways._tamper import TAMPERINGS
from simulators.meta.diagnostics import COMPLAINTS, WANTED_KEYS
from simulators.meta.errors import TABLE
from simulators.meta.faults import FAULTS, LIMITS
from simulators.meta.nodes import LISTED
from simulators.meta.tokens import ERROR_OF_STATE, STATES
from simulators.pagerduty.errors import TABLE as PAGERDUTY_TABLE
from simulators.pagerduty.faults import FAULTS as PAGERDUTY_FAULTS
from simulators.people import Order
from tests.command_line import golive
from tests.rows import each_row

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"
LIMIT_S = 30.0
LARGEST_BYTES = 1024 * 1024
"""What the receiver of this walk reads; vendors send a few KiB."""
HASH = hashlib.sha256(b"maria@example.com").hexdigest()
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
_NUMBERS = itertools.count(1)
SPOKEN = [(fake.name, dialect) for fake, dialect in _catalogue.spoken()]
EVENTS = list(_catalogue.events())


# -- the page ------------------------------------------------------------------------------------------------


def test_the_page_is_what_the_code_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written anew it is the same; a page that is another, or none, is said with the command that mends it."""
    now = catalogue.page()
    monkeypatch.setattr(catalogue, "page", lambda: now)  # it takes most of a second, and would be the same
    assert PAGE.read_text(encoding="utf-8") == now, "docs/catalogue.md is not what the code says: make docs"
    assert catalogue.main(["--check", str(PAGE)]) == 0
    other = tmp_path / "other.md"
    assert catalogue.main(["--check", str(other)]) == 1
    other.write_text(now + "more", encoding="utf-8")
    assert catalogue.main(["--check", str(other)]) == 1
    assert "make docs" in capsys.readouterr().err
    assert catalogue.main([str(other)]) == 0
    assert other.read_text(encoding="utf-8") == now


def test_the_page_names_every_row() -> None:
    """Each event, switch, tampering, answer, fault, state and complaint stands in it."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [f"| {row.gateway} | {row.dialect} | `{row.event.name}` | `{row.event.vendor_name}`" for row in EVENTS]
    rows += [f"| {name} | `{one.name}` |" for name, one in SWITCHES]
    rows += [f"| `{name}` |" for name in (*TAMPERINGS, *TABLE, *FAULTS, *STATES, *COMPLAINTS, *LISTED)]
    rows += [f"| `{name}` |" for name in (*PAGERDUTY_TABLE, *PAGERDUTY_FAULTS)]
    assert [row for row in rows if row not in text] == []


def test_the_command_and_the_control_route_list_the_same(gateways: Fake) -> None:
    """`golive list` and `GET /_golive/events` have the page's rows: events, switches, tamperings with their answers."""

    def listed(what: str) -> list[dict[str, Any]]:
        done = golive("list", what, "--json")
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    wanted = [(row.gateway, row.dialect, row.event.name, row.event.vendor_name) for row in EVENTS]
    told_by = gateways.control("GET", "events")
    assert [tuple(one.values())[:4] for one in listed("events")] == wanted
    assert [(one["gateway"], one["dialect"], one["name"], one["vendor_name"]) for one in told_by["events"]] == wanted
    assert [(one["gateway"], one["switch"]) for one in listed("switches")] == [
        (name, one.name) for name, one in SWITCHES
    ]
    assert {one["name"] for one in listed("tamperings")} == {one["name"] for one in told_by["tamperings"]}
    one_byte = next(one for one in told_by["tamperings"] if one["name"] == "one_byte")
    assert (one_byte["expected"]["stripe/vendor"], one_byte["expected"]["hotmart/vendor"]) == ("refused", "accepted")


# -- a child of each kind ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came of one request; `wire`: whole, reset, or broken_off within the body."""

    wire: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int, int | None, bool | None]:
        """Status, code, subcode, is_transient."""
        error = self.json["error"]
        return self.status, error["code"], error.get("error_subcode"), error.get("is_transient")


class Fake:
    """One fake as a process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._host = urlsplit(url).netloc
        self._last_sent = 0

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection(self._host, timeout=LIMIT_S)) as connection:
            connection.request(method, path, raw, {"Content-Type": "application/json", **(headers or {})})
            try:
                response = connection.getresponse()
            except ConnectionResetError:
                return Answer("reset")
            told = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Answer("whole", response.status, told, response.read())
            except http.client.IncompleteRead as broken:
                return Answer("broken_off", response.status, told, broken.partial)

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = self.ask(method, f"/_golive/{path}", body)
        assert answer.status in {200, 202}, answer.body
        return answer.json

    def newly_sent(self) -> list[dict[str, Any]]:
        """What fake gateways have sent since this was asked before, oldest first."""
        told = self.control("GET", f"sent?after={self._last_sent}")
        self._last_sent = told["next"]
        sent: list[dict[str, Any]] = told["sent"]
        return sent


Start = Callable[..., Fake]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts fakes; none of them may complain."""
    nurseries: list[Nursery] = []
    logs: list[Path] = []

    def begin(name: str, *options: str) -> Fake:
        logs.append(tmp_path_factory.mktemp(name) / "log")
        simulator = LocalSimulator(name)
        nurseries.append(Nursery(lambda death: None))
        child = simulator.start(nurseries[-1], env=os.environ, log=logs[-1], options=options)
        simulator.wait_ready(child, within_s=LIMIT_S)
        return Fake(simulator.url)

    try:
        yield begin
    finally:
        for nursery in nurseries:
            nursery.stop_all()
    for log in logs:
        lines = log.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1, "a fake logged more than where it listens:\n" + "\n".join(lines[:40])


@pytest.fixture(scope="module")
def gateways(start: Start) -> Fake:
    return start("gateways")


@pytest.fixture(scope="module")
def meta(start: Start) -> Fake:
    return start("meta", "--max-body-bytes=100000", "--batch-limit=3")


@pytest.fixture(scope="module")
def strict_meta(start: Start) -> Fake:
    """Of an app that demands proofs, and that takes no old version."""
    return start("meta", "--version-mode=strict", f"--app-secret={APP_SECRET}", "--require-proof")


@pytest.fixture(scope="module")
def pagerduty(start: Start) -> Fake:
    return start("pagerduty", "--rate-per-min=2", "--strict-keys", f"--topics={TOPIC}", "--discard-status=400")


@pytest.fixture(scope="module")
def verifying_pagerduty(start: Start) -> Fake:
    """One that verifies signatures, and whose certificates are at an address where nobody listens."""
    return start("pagerduty", "--signature=on", "--cert-at=http://127.0.0.1:1")


# -- gateways: a receiver that goes by the vendors' documents alone -------------------------------------------


@dataclass
class Door:
    """One address of a receiver: who may come in, and what it made of each."""

    gateway: str
    dialect: str
    secret: str
    bodies: list[bytes] = field(default_factory=list)

    def judge(self, query: str, headers: Mapping[str, str], body: bytes) -> int:
        """The answer of a right receiver; stripe's own SDK decides for Stripe."""
        if len(body) > LARGEST_BYTES:
            return 413
        if headers.get("content-encoding") or not headers.get("content-type", "").startswith("application/json"):
            return 415
        if not self._genuine(query, headers, body):
            return 401
        try:
            told = json.loads(body.decode("utf-8"), object_pairs_hook=_no_twice)
        except ValueError:
            return 400
        self.bodies.append(body)
        return 202 if isinstance(told, dict) else 400

    def _genuine(self, query: str, headers: Mapping[str, str], body: bytes) -> bool:  # noqa: PLR0911 -- one a vendor
        if self.dialect == "plan":
            mac = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
            return hmac.compare_digest(headers.get("x-signature", ""), f"sha256={mac}")
        match self.gateway:
            case "stripe":
                try:
                    stripe.WebhookSignature.verify_header(
                        body, headers.get("stripe-signature", ""), self.secret, tolerance=300
                    )
                except (stripe.SignatureVerificationError, UnicodeDecodeError):
                    return False
                return True
            case "kiwify":
                mac = hmac.new(self.secret.encode(), body, hashlib.sha1).hexdigest()
                return parse_qs(query).get("signature") == [mac]
            case "hotmart":
                return headers.get("x-hotmart-hottok") == self.secret
            case "perfectpay":
                return _token(body) == self.secret
        return self._genuine_to_the_other_half(query, headers, body)

    def _genuine_to_the_other_half(self, query: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Nobody has written this vendor's document down here: then the reference, written apart, is the witness."""
        delivery = RawDelivery(body=body, headers=headers, query=dict(parse_qsl(query)))
        try:
            adapter(self.gateway).verify(delivery, dialect=self.dialect, secrets=[self.secret], now_s=time.time())
        except (BadSignature, MalformedBody):
            return False
        return True


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _token(body: bytes) -> object:
    """PerfectPay's body has to be read before its sender is known; what cannot be read has none."""
    try:
        return json.loads(body, object_pairs_hook=_no_twice).get("token")
    except (ValueError, AttributeError):
        return None


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[str, dict[str, Door]]]:
    """Where it listens, and its doors by path."""
    doors: dict[str, Door] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = doors[path].judge(query, headers, self._body())
            self.send_response_only(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", doors
    server.shutdown()
    server.server_close()
    thread.join(LIMIT_S)


Receiver = tuple[str, dict[str, Door]]
every_scheme = each_row(("name", "dialect"), SPOKEN)


def a_door(receiver: Receiver, name: str, dialect: str) -> tuple[str, Door]:
    url, doors = receiver
    number = next(_NUMBERS)
    door = Door(name, dialect, gateway(name).new_secret(str(number)))
    doors[f"/{name}/{number}"] = door
    return f"{url}/{name}/{number}", door


def ask_for(gateways: Fake, to: str, door: Door, **more: Any) -> Answer:
    wish = {"gateway": door.gateway, "dialect": door.dialect, "secret": door.secret, "to": to, "seed": "7/walk"}
    return gateways.ask("POST", "/_golive/send", {"event": "approved", **wish, **more})


@every_scheme
def test_every_event_is_sent_and_proves_its_sender(name: str, dialect: str, gateways: Fake, receiver: Receiver) -> None:
    """Rendered, signed, sent over HTTP, verified by what the vendor documents; the vendor's word stands in the body."""
    rows = [row for row in EVENTS if (row.gateway, row.dialect) == (name, dialect)]
    to, door = a_door(receiver, name, dialect)
    for row in rows:
        answer = ask_for(gateways, to, door, event=row.event.name)
        assert (answer.status, answer.json["status"]) == (200, 202), f"{row.event.name}: {answer.body!r}"
        assert row.event.vendor_name in {str(one) for one in leaves(json.loads(door.bodies[-1]))}, row.event.name
    assert len(door.bodies) == len(rows) > 0
    sent = gateways.newly_sent()[-len(rows) :]
    assert [(one["event"], one["outcome"]) for one in sent] == [(row.event.name, row.event.outcome) for row in rows]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


TAMPERED = {row.name: row for row in _catalogue.tamperings()}


@every_scheme
@each_row("kind", sorted(TAMPERINGS))
def test_every_tampering_is_applied_and_judged(
    kind: str, name: str, dialect: str, gateways: Fake, receiver: Receiver
) -> None:
    """A receiver that goes by the vendor's documents answers as the page says; what a scheme has not is told so."""
    right = TAMPERED[kind].expected.get((name, dialect))
    to, door = a_door(receiver, name, dialect)
    answer = ask_for(gateways, to, door, tamper=kind, another_tenants_secret=gateway(name).new_secret("another"))
    if right is None:
        assert (answer.status, answer.json["error"]["code"]) == (400, "nothing_to_tamper")
        return
    status = answer.json["status"]
    assert status == 202 or 400 <= status < 500
    assert right == "either" or (status == 202) == (right == "accepted"), f"{status}, right is: {right}"
    assert bool(door.bodies) == (status == 202)
    (told,) = gateways.newly_sent()[-1:]
    assert (told["tamper"], told["expected"]) == (kind, right)


def test_the_pytest_fixture_spoils_alike(receiver: Receiver) -> None:
    """Chunks are taken, another tenant's secret is not; another machine is not sent to."""
    fixture = GatewayFixture(gateway("stripe"), "walk")
    to, door = a_door(receiver, "stripe", "vendor")
    door.secret = fixture.secret
    assert fixture.send(to, tamper="chunked").status == 202
    assert fixture.send(to, tamper="another_tenants_secret", another_tenants_secret="whsec_theirs").status == 401
    assert len(door.bodies) == 1
    with pytest.raises(ValueError, match=r"allow_host='192\.0\.2\.1'"):
        fixture.send("http://192.0.2.1/hook")


def test_every_tampering_is_judged_somewhere() -> None:
    """Each is something in at least one scheme, and refused in one, unless it is genuine everywhere."""
    rows = {name: set(row.expected.values()) for name, row in TAMPERED.items()}
    assert set(rows) == set(TAMPERINGS)
    assert {name for name, found in rows.items() if "refused" not in found} == {"chunked", "several_signatures"}


SWITCHES = [(fake, one) for fake in sorted({name for name, _ in SPOKEN}) for one in switches(gateway(fake))]
#: Where the other choices are no short list: one more that is worth trying.
ANOTHER: dict[type, Any] = {str: "golive-another", int: 7, tuple: (7, "golive-another")}


def another(one: Switch) -> Any:
    return one.others[0] if one.others else ANOTHER.get(type(one.default), one.default)


@each_row(
    ("name", "one"),
    [pytest.param(name, one, id=f"{name}-{one.name}") for name, one in SWITCHES if not one.is_secret],
)
def test_every_switch_can_be_thrown_and_decides_something(
    name: str, one: Switch, gateways: Fake, receiver: Receiver
) -> None:
    """Set by name it changes some event or its headers; set to its default it changes nothing; all of it is taken."""
    assert one.about, "the page would not say what it decides"
    fake, changed = gateway(name), []
    rows = [(row, told_by_default(name, row.dialect, row.event.name)) for row in rows_of(name)]
    for value in one.others or (another(one),):
        thrown = with_switches(fake, {one.name: value})
        changed += [row.event.name for row, said in rows if told(thrown, row.dialect, row.event.name) != said]
    assert changed, f"nothing that {name} says depends on {one.name}"
    unchanged = with_switches(fake, {one.name: plain(one.default)})
    assert [row for row, said in rows if told(unchanged, row.dialect, row.event.name) != said] == []
    to, door = a_door(receiver, name, "vendor")
    answer = ask_for(gateways, to, door, switches={one.name: plain(another(one))})
    signs_a_part = (name, one.name) == ("kiwify", "wrapped")  # then the signature is inside, and not of the whole body
    assert answer.json["status"] == (401 if signs_a_part else 202)


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value))


def rows_of(name: str) -> list[_catalogue.EventRow]:
    return [row for row in EVENTS if row.gateway == name]


@cache
def orders() -> tuple[Order, Order]:
    """A plain order, and a company's with partners, whose tracking is long enough to be cut."""
    plain_one = _catalogue.sample()
    buyer = replace(plain_one.buyer, document="11222333000181")
    tracking = {"click_id": "c-1", "fbclid": "F" * 80, "utm_source": "meta ads/é", "zz_own": "1"}
    return plain_one, replace(plain_one, buyer=buyer, tracking=tracking, partners=("affiliate", "coproducer"))


def told(fake: Any, dialect: str, event: str) -> object:
    """One event, of both orders; None where the gateway does not tell it at all."""
    events = fake.events(dialect)
    if event not in events:
        return None
    arguments = {"dialect": dialect, "secret": "s" * 16, "url": _catalogue.URL, "now_s": _catalogue.NOW_S}
    sent = [fake.sign(fake.render(sale, event, **arguments), **arguments) for sale in orders()]
    return events[event].vendor_name, [(one.url, one.headers, one.body) for one in sent]


@cache
def told_by_default(name: str, dialect: str, event: str) -> object:
    """The same, of a gateway whose switches nobody has thrown."""
    return told(gateway(name), dialect, event)


# -- Meta ----------------------------------------------------------------------------------------------------

APP_SECRET = "an-app-secret"


@dataclass(frozen=True)
class Pixel:
    id: str
    token: str


def a_pixel(meta: Fake, **token: Any) -> Pixel:
    number = next(_NUMBERS)
    pixel = Pixel(str(910_000_000_000_000 + number), f"EAAwalk{number}Zz9")
    meta.control("PUT", f"pixels/{pixel.id}", {"tokens": [{"token": pixel.token, **token}]})
    return pixel


def an_event(**changes: Any) -> dict[str, Any]:
    """A Purchase of which Meta complains of nothing."""
    return {
        "event_name": "Purchase",
        "event_time": int(time.time()) - 60,
        "event_id": f"e-{next(_NUMBERS)}",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/",
        "user_data": {"em": [HASH], "client_user_agent": "Mozilla/5.0"},
        "custom_data": {"value": 297.0, "currency": "BRL", "order_id": "o-1"},
        **changes,
    }


def send(meta: Fake, pixel: Pixel, *events: Any, version: str = "v26.0", **more: Any) -> Answer:
    body = {"data": list(events or [an_event()]), "access_token": pixel.token, **more}
    return meta.ask("POST", f"/{version}/{pixel.id}/events", {key: one for key, one in body.items() if one is not None})


def proof(token: str) -> str:
    return hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()


def _of_event(**changes: Any) -> Callable[[Fake], Answer]:
    return lambda meta: send(meta, a_pixel(meta), an_event(**changes))


def _of_state(state: str) -> Callable[[Fake], Answer]:
    return lambda meta: send(meta, a_pixel(meta, state=state))


def _raw(body: bytes) -> Callable[[Fake], Answer]:
    def step(meta: Fake) -> Answer:
        pixel = a_pixel(meta)
        return meta.ask("POST", f"/v26.0/{pixel.id}/events?access_token={pixel.token}", body)

    return step


def _custom(**changes: Any) -> dict[str, Any]:
    return {key: one for key, one in {"value": 1, "currency": "BRL", **changes}.items() if one is not None}


def _get(path: str, **query: Any) -> Callable[[Fake], Answer]:
    """A GET by a token that may read its pixel; `{pixel}` and `{token}` are filled in."""

    def step(meta: Fake) -> Answer:
        pixel = a_pixel(meta, kind="USER")
        filled = {key: str(one).format(pixel=pixel.id, token=pixel.token) for key, one in query.items()}
        return meta.ask("GET", f"/v26.0{path.format(pixel=pixel.id)}?{urlencode(filled)}")

    return step


def _calls(number: int) -> Callable[[Fake], Answer]:
    def step(meta: Fake) -> Answer:
        calls = [{"method": "GET", "relative_url": "me"}] * number
        return meta.ask("POST", "/v26.0/", {"batch": calls, "access_token": a_pixel(meta).token})

    return step


#: What makes the fake say each answer by itself. Those marked strict need an app that demands proofs.
REQUESTS: dict[str, Callable[[Fake], Answer]] = {
    "unknown_path": _get("/{pixel}/nothing_of_the_kind", access_token="{token}"),
    "no_token": lambda meta: send(meta, a_pixel(meta), access_token=None),
    "unparsable_token": lambda meta: send(meta, a_pixel(meta), access_token="IGAAother"),
    "expired_token": _of_state("expired"),
    "password_changed": _of_state("password_changed"),
    "logged_out": _of_state("logged_out"),
    "app_removed": _of_state("app_removed"),
    "app_deleted": _of_state("app_deleted"),
    "no_access": lambda meta: send(meta, Pixel("999", a_pixel(meta).token)),
    "missing_permission": lambda meta: meta.ask("GET", "/v26.0/{0.id}?access_token={0.token}".format(a_pixel(meta))),
    "missing_parameter": lambda meta: send(meta, a_pixel(meta), data=None),
    "missing_client_id": _get("/oauth/access_token", grant_type="fb_exchange_token"),
    "body_too_large": _raw(b'{"data": "' + b" " * 100_000 + b'"}'),
    "malformed_body": _raw(b"{broken"),
    "malformed_data": _raw(b'{"data": 7}'),
    "empty_data": _raw(b'{"data": []}'),
    "too_many_events": lambda meta: send(meta, a_pixel(meta), *[an_event() for _ in range(4)]),
    "too_many_calls": _calls(51),
    "parameter": _of_event(event_id=7),
    "content_without_id": _of_event(custom_data=_custom(contents=[{"quantity": 1}])),
    "too_old": _of_event(event_time=int(time.time()) - 8 * 86_400),
    "in_future": _of_event(event_time=int(time.time()) + 3_600),
    "no_value": _of_event(custom_data=_custom(value=None)),
    "no_currency": _of_event(custom_data=_custom(currency=None)),
    "not_hashed": _of_event(user_data={"em": "maria@example.com"}),
    "bad_lead_id": _of_event(user_data={"lead_id": 7}),
    "too_few_keys": _of_event(user_data={"client_user_agent": "Mozilla/5.0"}),
    "bad_currency": _of_event(custom_data=_custom(currency="XXZ")),
    "url_not_allowed": _of_event(action_source="business_messaging"),
}
STRICT_REQUESTS: dict[str, Callable[[Fake], Answer]] = {
    "old_version": lambda meta: send(meta, a_pixel(meta), version="v16.0"),
    "wrong_proof": lambda meta: send(meta, a_pixel(meta), appsecret_proof="0" * 64),
    "missing_proof": lambda meta: send(meta, a_pixel(meta)),
}


def test_every_answer_that_is_not_only_armed_has_its_request() -> None:
    """A new row of the table needs a step above, or says that only a fault makes it."""
    by_request = {name for name, row in TABLE.items() if not row.armed_only}
    assert by_request == set(REQUESTS) | set(STRICT_REQUESTS)


def expected_error(name: str) -> tuple[int, int, int | None, bool | None]:
    row = TABLE[name]
    return row.status, row.code, row.subcode, row.is_transient


@each_row("name", sorted({**REQUESTS, **STRICT_REQUESTS}))
def test_every_answer_of_meta_is_given_to_a_request(name: str, meta: Fake, strict_meta: Fake) -> None:
    """HTTP status, code, subcode and is_transient as the page says; the message is the row's with its blanks filled."""
    answer = REQUESTS[name](meta) if name in REQUESTS else STRICT_REQUESTS[name](strict_meta)
    assert answer.error == expected_error(name)
    row, error = TABLE[name], answer.json["error"]
    assert error["type"] == row.kind
    assert error["message"].startswith(row.message.partition("{")[0])
    assert error.get("error_user_title") == row.title
    assert error["fbtrace_id"].startswith("A")
    assert row.detail is None or error["error_user_msg"].startswith(row.detail.partition("{")[0])


def test_a_right_proof_is_taken(strict_meta: Fake) -> None:
    """What the strict fake refuses, it refuses for that alone."""
    pixel = a_pixel(strict_meta)
    assert send(strict_meta, pixel, appsecret_proof=proof(pixel.token)).status == 200


@each_row("name", sorted(TABLE))
def test_every_answer_of_meta_can_be_armed(name: str, meta: Fake) -> None:
    """By its name, once: then it has reverted; nothing was counted, and no blank is left open in it."""
    pixel, event = a_pixel(meta), an_event()
    meta.control("POST", f"pixels/{pixel.id}/faults", {"fault": "refusal", "error": name, "strikes": 1})
    answer = send(meta, pixel, event)
    assert answer.error == expected_error(name)
    assert b"{" not in answer.json["error"]["message"].encode()
    assert (send(meta, pixel, event).status, verdicts(meta, pixel)) == (200, [["refused"], ["counted"]])


def verdicts(meta: Fake, pixel: Pixel) -> list[list[str]]:
    calls = meta.control("GET", f"seen?pixel={pixel.id}")["calls"]
    return [[event["verdict"] for event in call["events"]] for call in calls]


@each_row("state", STATES)
def test_every_state_of_a_token_is_felt(state: str, meta: Fake) -> None:
    """Set on a living token it refuses with its own answer; set back, the token lives."""
    pixel = a_pixel(meta)
    meta.control("PUT", f"tokens/{pixel.token}", {"state": state, "expires_at_s": None})
    answer = send(meta, pixel)
    if state == "valid":
        assert answer.status == 200
        return
    assert answer.error == expected_error(ERROR_OF_STATE[state])
    meta.control("PUT", f"tokens/{pixel.token}", {"state": "valid", "expires_at_s": None})
    assert send(meta, pixel).status == 200


#: What a client sees of each fault, with the parameters it is tried with.
FELT: dict[str, tuple[dict[str, Any], str]] = {
    "brown_out": ({}, "500 2"),
    "throttle": ({"code": 80004, "regain_minutes": 9}, "400 80004"),
    "refusal": ({"error": "no_permission"}, "403 200"),
    "expired_token": ({}, "401 190"),
    "html_502": ({}, "502 <html>"),
    "html_429": ({}, "429 <html>"),
    "lose_reply": ({}, "reset"),
    "hang": ({"hang_s": 0.2}, "reset after 0.2 s"),
    "hang_after_work": ({"hang_s": 0.2}, "200 1 after 0.2 s"),
    "reset": ({}, "reset"),
    "slow_body": ({"over_s": 0.2}, "200 1 after 0.2 s"),
    "truncated_json": ({}, "200 half"),
    "cut_body": ({}, "broken_off"),
    "fewer_received": ({"missing": 1}, "200 0"),
    "one_event_refused": ({"order_id": "o-1"}, "400 100"),
}


def in_words(answer: Answer, took_s: float) -> str:
    late = " after 0.2 s" if took_s >= 0.15 else ""
    if answer.wire != "whole":
        return answer.wire + late
    if answer.headers["content-type"].startswith("text/html"):
        return f"{answer.status} <html>{late}"
    try:
        told = answer.json
    except ValueError:
        return f"{answer.status} half{late}"
    return f"{answer.status} {told['error']['code'] if 'error' in told else told['events_received']}{late}"


@each_row("fault", sorted(FAULTS))
def test_every_fault_of_meta_is_armed_felt_and_reverts(fault: str, meta: Fake) -> None:
    """Armed for one call with all its parameters; the next call is as if nothing had been."""
    parameters, wanted = FELT[fault]
    pixel, began_s = a_pixel(meta), time.monotonic()
    meta.control("POST", f"pixels/{pixel.id}/faults", {"fault": fault, "strikes": 1, **parameters})
    answer = send(meta, pixel)
    felt = in_words(answer, time.monotonic() - began_s)
    assert felt.partition(" after")[0] == wanted.partition(" after")[0]
    assert " after" in felt or " after" not in wanted, "it came at once"
    assert send(meta, pixel).status == 200


@each_row("code", LIMITS)
def test_every_limit_tells_when_to_come_again(code: int, meta: Fake) -> None:
    """Each code of `throttle`, with the usage headers that clients read."""
    pixel = a_pixel(meta)
    meta.control("POST", f"pixels/{pixel.id}/faults", {"fault": "throttle", "code": code, "regain_minutes": 9})
    answer = send(meta, pixel)
    assert answer.error == expected_error(LIMITS[code])
    assert answer.error[1] == code
    assert json.loads(answer.headers["x-app-usage"])["call_count"] == 100
    ((business,),) = json.loads(answer.headers["x-business-use-case-usage"]).values()
    assert business["estimated_time_to_regain_access"] == 9
    assert json.loads(answer.headers["x-ad-account-usage"])["reset_time_duration"] == 540


#: The smallest change of an event that Meta complains of, by complaint.
DOUBTFUL: dict[str, dict[str, Any]] = {
    "no_action_source": {"action_source": None},
    "no_event_id": {"event_id": None},
    "website_without_event_source_url": {"event_source_url": None},
    "website_without_client_user_agent": {"user_data": {"em": [HASH]}},
    "invalid_fbp": {"user_data": {"em": [HASH], "client_user_agent": "M", "fbp": "fb.1.x.7"}},
    "invalid_fbc": {"user_data": {"em": [HASH], "client_user_agent": "M", "fbc": "IwAR0"}},
    "invalid_client_ip_address": {"user_data": {"em": [HASH], "client_user_agent": "M", "client_ip_address": "?"}},
    "value_without_currency": {"event_name": "Lead", "custom_data": {"value": 1}},
    "currency_without_value": {"event_name": "Lead", "custom_data": {"currency": "BRL"}},
}


@each_row("name", sorted(COMPLAINTS))
def test_every_complaint_is_made_of_an_event_that_is_taken(name: str, meta: Fake) -> None:
    """Of that and of nothing else; of the event without the change there is none."""
    pixel = a_pixel(meta)
    changed = {key: one for key, one in an_event(**DOUBTFUL[name]).items() if one is not None}
    assert send(meta, pixel, an_event(), changed).status == 200
    (call,) = meta.control("GET", f"seen?pixel={pixel.id}")["calls"]
    assert [event["complaints"] for event in call["events"]] == [[], [name]]


def test_every_missing_key_is_named(meta: Fake) -> None:
    """All that are not there, in Meta's order."""
    pixel = a_pixel(meta)
    send(meta, pixel, an_event(user_data={"lead_id": 123_456_789_012_345}))
    (call,) = meta.control("GET", f"seen?pixel={pixel.id}")["calls"]
    assert call["events"][0]["missing_keys"] == list(WANTED_KEYS)


#: What each request beside the events answers, as a test of the body.
BESIDE: dict[str, tuple[Callable[[Fake], Answer], Callable[[Any], bool]]] = {
    "GET /me": (_get("/me", access_token="{token}"), lambda told: told["id"].isdigit()),
    "GET /debug_token": (
        _get("/debug_token", input_token="{token}", access_token="{token}"),
        lambda told: told["data"]["is_valid"] is True,
    ),
    "GET /oauth/access_token": (
        _get(
            "/oauth/access_token",
            grant_type="fb_exchange_token",
            client_id="1",
            client_secret="s",
            fb_exchange_token="{token}",
        ),
        lambda told: told["access_token"].startswith("EAA") and told["expires_in"] > 0,
    ),
    "POST /oauth/access_token": (
        lambda meta: meta.ask(
            "POST",
            "/v26.0/oauth/access_token",
            {"grant_type": "client_credentials", "client_id": "7", "client_secret": "s"},
        ),
        lambda told: told["access_token"].startswith("7|"),
    ),
    "GET /dataset_quality": (
        _get("/dataset_quality", dataset_id="{pixel}", access_token="{token}"),
        lambda told: told == {},
    ),
    "POST /": (_calls(2), lambda told: [one["code"] for one in told] == [200, 200]),
    "GET /{pixel}": (_get("/{pixel}", access_token="{token}"), lambda told: told["id"].isdigit()),
    "GET /{pixel}/stats": (
        _get("/{pixel}/stats", aggregation="event", access_token="{token}"),
        lambda told: told == {"data": [], "paging": {}},
    ),
    "POST /{app}/instruments": (
        lambda meta: meta.ask("POST", "/v26.0/1/instruments", {"bizsdk_crash_report": {}}),
        lambda told: told == {"success": True},
    ),
}


@each_row("name", sorted(LISTED))
def test_every_request_beside_the_events_is_answered(name: str, meta: Fake) -> None:
    """200, and the shape that clients read."""
    ask, is_right = BESIDE[name]
    answer = ask(meta)
    assert answer.status == 200, answer.body
    assert is_right(answer.json), answer.body


# -- PagerDuty -----------------------------------------------------------------------------------------------


def a_key(pagerduty: Fake) -> str:
    key = f"{next(_NUMBERS):032d}"
    pagerduty.control("PUT", f"keys/{key}")
    return key


def _enqueue(**changes: Any) -> Callable[[Fake], Answer]:
    def step(pagerduty: Fake) -> Answer:
        return pagerduty.ask("POST", "/v2/enqueue", an_alert(a_key(pagerduty), **changes))

    return step


def an_alert(key: str, payload: Any = None, **changes: Any) -> dict[str, Any]:
    told = {"summary": "disk full", "source": "db-1", "severity": "critical", **(payload or {})}
    return {"routing_key": key, "event_action": "trigger", "payload": told, **changes}


def _many(pagerduty: Fake) -> Answer:
    """The third call within a minute."""
    key = a_key(pagerduty)
    for _ in range(2):
        assert pagerduty.ask("POST", "/v2/enqueue", an_alert(key)).status == 202
    return pagerduty.ask("POST", "/v2/enqueue", an_alert(key))


def _sns(body: object) -> Callable[[Fake], Answer]:
    return lambda pagerduty: pagerduty.ask("POST", f"/integration/{a_key(pagerduty)}/enqueue", body)


def a_notification(**changes: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "no JSON", **changes}


PAGERDUTY_REQUESTS: dict[str, Callable[[Fake], Answer]] = {
    "key_length": lambda pagerduty: pagerduty.ask("POST", "/v2/enqueue", an_alert("short")),
    "key_unknown": lambda pagerduty: pagerduty.ask("POST", "/v2/enqueue", an_alert("f" * 32)),
    "not_json": lambda pagerduty: pagerduty.ask("POST", "/v2/enqueue", b"{"),
    "not_object": lambda pagerduty: pagerduty.ask("POST", "/v2/enqueue", []),
    "missing": _enqueue(payload={"summary": ""}),
    "not_one_of": _enqueue(payload={"severity": "dire"}),
    "not_text": _enqueue(payload={"source": 7}),
    "not_map": _enqueue(payload={"custom_details": 7}),
    "not_list": _enqueue(links=7),
    "not_time": _enqueue(payload={"timestamp": "yesterday at noon"}),
    "not_https": _enqueue(client_url="http://127.0.0.1/", images=[{"src": "http://127.0.0.1/x.png"}]),
    "too_long": _enqueue(dedup_key="k" * 256),
    "body_too_large": lambda pagerduty: pagerduty.ask("POST", "/v2/enqueue", b" " * 600_000),
    "throttled": _many,
    "sns_not_json": _sns(b"{"),
    "sns_type": _sns({"Type": "Surprise"}),
    "sns_topic": _sns(a_notification(TopicArn="arn:aws:sns:us-east-1:000000000000:others")),
    "discarded": _sns(a_notification(Subject="hello")),
}
SIGNED_REQUESTS: dict[str, Callable[[Fake], Answer]] = {
    "sns_signature": _sns(a_notification(SignatureVersion="7", Signature="AA==")),
    "sns_no_certificate": _sns(
        a_notification(
            SignatureVersion="2",
            Signature="AA==",
            SigningCertURL="https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
        )
    ),
}
#: Made by the fault of that name alone.
ARMED = {"server_error"}


def test_every_refusal_of_pagerduty_has_its_request() -> None:
    """A new row of the table needs a step above."""
    assert set(PAGERDUTY_TABLE) == set(PAGERDUTY_REQUESTS) | set(SIGNED_REQUESTS) | ARMED


@each_row("name", sorted({**PAGERDUTY_REQUESTS, **SIGNED_REQUESTS}))
def test_every_refusal_of_pagerduty_is_given_to_a_request(
    name: str, pagerduty: Fake, verifying_pagerduty: Fake
) -> None:
    """The row's status, and its text among the reasons."""
    signed = name in SIGNED_REQUESTS
    answer = SIGNED_REQUESTS[name](verifying_pagerduty) if signed else PAGERDUTY_REQUESTS[name](pagerduty)
    row, told = PAGERDUTY_TABLE[name], answer.json
    assert answer.status == row.status
    if name == "throttled":
        assert told["status"] == "throttle exceeded"
        return
    parts = row.text.split("'{field}'")[-1].partition("{")[0]
    reasons = told.get("errors") or [told["message"]]
    assert any(parts in one for one in reasons), reasons


#: What a client sees of each fault, and whether the incident is there all the same.
PAGERDUTY_FELT = {
    "server_error": ("whole", 500, False),
    "throttle": ("whole", 429, False),
    "hang": ("reset", 0, False),
    "lose_reply": ("reset", 0, True),
}


@each_row("fault", sorted(PAGERDUTY_FAULTS))
def test_every_fault_of_pagerduty_is_armed_felt_and_reverts(fault: str, pagerduty: Fake) -> None:
    """Once; then the next alert is taken, and what was lost is lost."""
    wire, status, worked = PAGERDUTY_FELT[fault]
    key = a_key(pagerduty)
    pagerduty.control("POST", "faults", {"fault": fault, "strikes": 1, "hang_s": 0.1})
    answer = pagerduty.ask("POST", "/v2/enqueue", an_alert(key, dedup_key=f"{fault}/{key}"))
    assert (answer.wire, answer.status) == (wire, status)
    found = pagerduty.control("GET", f"incidents?{urlencode({'dedup_key': f'{fault}/{key}'})}")["incidents"]
    assert bool(found) == worked
    assert pagerduty.control("GET", "faults")["armed"] == []
    assert pagerduty.ask("POST", "/v2/enqueue", an_alert(key)).status == 202
