"""What the fake Meta knows beside its refusals: proofs, the browser's Pixel, complaints, test codes, every answer."""

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from simulators.meta.app import create_app
from simulators.meta.errors import TABLE
from simulators.meta.state import Meta
from simulators.meta.switches import Switches
from tests.rows import each_row

NOW_S = 1_780_000_000
PIXEL, TOKEN, SECRET = "900000000000001", "EAAtoken1", "app-secret"
HASH = hashlib.sha256(b"maria@example.com").hexdigest()
GOOD = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.content)


class Asgi:
    """Speaks ASGI to an application, without a wire."""

    def __init__(self, **switches: Any) -> None:
        self._app = create_app(Meta(now_s=lambda: NOW_S, rng=random.Random(0), switches=Switches(**switches)))

    def ask(
        self, method: str, path: str, *, json_body: object = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """One request and its whole answer."""
        sent: list[dict[str, Any]] = []
        body = b"" if json_body is None else json.dumps(json_body).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(params or {}).encode(),
            "headers": [(b"content-type", b"application/json")],
        }
        asyncio.run(self._app(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """A GET."""
        return self.ask("GET", path, params=params)

    def arm(self, **fault: Any) -> Answer:
        """Arm a fault for the pixel."""
        return self.ask("POST", f"/_golive/pixels/{PIXEL}/faults", json_body=fault)


def a_meta(**switches: Any) -> Asgi:
    """A fake with one pixel."""
    client = Asgi(**switches)
    answer = client.ask("PUT", f"/_golive/pixels/{PIXEL}", json_body={"tokens": [{"token": TOKEN}]})
    assert answer.status_code == 200
    return client


@pytest.fixture
def meta() -> Asgi:
    """One with the defaults."""
    return a_meta()


def event(**changes: Any) -> dict[str, Any]:
    """A Purchase that may pass."""
    return {
        "event_name": "Purchase",
        "event_time": NOW_S - 60,
        "event_id": "e-1",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/",
        "user_data": {"em": [HASH], "client_user_agent": "Mozilla/5.0"},
        "custom_data": {"value": 1, "currency": "BRL"},
        **changes,
    }


def send(client: Asgi, *events: dict[str, Any], **parameters: Any) -> Any:
    """A call to the events edge."""
    body = {"data": list(events or [event()]), "access_token": TOKEN, **parameters}
    return client.ask("POST", f"/v26.0/{PIXEL}/events", json_body=body)


def seen(client: Asgi) -> list[dict[str, Any]]:
    """All calls of the pixel."""
    calls: list[dict[str, Any]] = client.get("/_golive/seen", params={"pixel": PIXEL}).json()["calls"]
    return calls


# -- appsecret_proof


@each_row(
    ("proof", "required", "message"),
    [
        (GOOD, True, None),
        (GOOD, False, None),
        (None, False, None),
        (None, True, "require an appsecret_proof"),
        ("", True, "require an appsecret_proof"),
        ("0" * 64, False, "Invalid appsecret_proof"),
        (GOOD.upper(), False, "Invalid appsecret_proof"),
        ("é", False, "Invalid appsecret_proof"),
        (7, False, "Invalid appsecret_proof"),
    ],
)
def test_a_proof_is_checked_where_the_app_has_a_secret(proof: object, required: bool, message: str | None) -> None:
    """400, code 100, GraphMethodException, as recorded; without it only where the app does not demand one."""
    client = a_meta(app_secret=SECRET, require_proof=required)
    answer = send(client, **({} if proof is None else {"appsecret_proof": proof}))
    if message is None:
        assert answer.status_code == 200
        return
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (400, 100, "GraphMethodException")
    assert message in error["message"]


def test_the_proof_of_the_facts_is_the_one_that_is_wanted() -> None:
    """The vector of section 1, which the official SDK computed."""
    wanted = "d563030635606362bf4e60d2264bff76c412a8faa56bb2777d8b2e64301eb4a1"
    client = a_meta(app_secret="sec", open=True)
    body = {"data": [event()], "access_token": "TOK", "appsecret_proof": wanted}
    client.ask("PUT", f"/_golive/pixels/{PIXEL}", json_body={"tokens": [{"token": "TOK"}]})
    assert client.ask("POST", f"/v26.0/{PIXEL}/events", json_body=body).status_code == 200


def test_without_an_app_secret_any_proof_is_ignored(meta: Asgi) -> None:
    """No app is registered, so nothing can be compared."""
    assert send(meta, appsecret_proof="0" * 64).status_code == 200


# -- the browser's Pixel


def test_a_browser_event_and_the_servers_count_once_together(meta: Asgi) -> None:
    """Same pixel, name and id: whoever comes second is the duplicate; another id counts."""
    picture = meta.get(
        "/tr/", params={"id": PIXEL, "ev": "Purchase", "eid": "e-1", "cd[value]": "1", "cd[currency]": "BRL"}
    )
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/gif")
    send(meta)
    send(meta, event(event_id="e-2"))
    meta.get("/tr/", params={"id": PIXEL, "ev": "Purchase", "eid": "e-2"})
    told = [(call["source"], call["events"][0]["verdict"]) for call in seen(meta)]
    assert told == [("browser", "counted"), ("server", "duplicate"), ("server", "counted"), ("browser", "duplicate")]
    assert seen(meta)[0]["events"][0]["custom_data"] == {"value": "1", "currency": "BRL"}


@pytest.mark.parametrize("asked", [{}, {"id": PIXEL}, {"id": "1", "ev": "Purchase"}, {"ev": "Purchase"}])
def test_a_page_never_breaks_because_of_the_picture(meta: Asgi, asked: dict[str, str]) -> None:
    """Whatever is asked; and nothing is filed that has no pixel or no name."""
    assert meta.get("/tr", params=asked).content.startswith(b"GIF8")
    assert seen(meta) == []


# -- complaints that are no refusals


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event_id": None}, "no_event_id"),
        ({"action_source": None}, "no_action_source"),
        ({"event_source_url": None}, "website_without_event_source_url"),
        ({"user_data": {"em": [HASH]}}, "website_without_client_user_agent"),
        ({"user_data": {"em": [HASH], "client_user_agent": "x", "fbp": "fb.1"}}, "invalid_fbp"),
        ({"user_data": {"em": [HASH], "client_user_agent": "x", "fbc": "IwAR0"}}, "invalid_fbc"),
        (
            {"user_data": {"em": [HASH], "client_user_agent": "x", "client_ip_address": "10.0.0"}},
            "invalid_client_ip_address",
        ),
        ({"event_name": "Lead", "custom_data": {"value": 3}}, "value_without_currency"),
        ({"event_name": "Lead", "custom_data": {"currency": "BRL"}}, "currency_without_value"),
    ],
)
def test_what_is_doubtful_is_taken_and_told(meta: Asgi, changes: dict[str, Any], complaint: str) -> None:
    """200, counted, and one complaint by its name."""
    assert send(meta, event(**changes)).status_code == 200
    told = seen(meta)[0]["events"][0]
    assert (told["verdict"], told["complaints"]) == ("counted", [complaint])


@pytest.mark.parametrize(
    "user",
    [
        {
            "fbp": "fb.1.1700000000000.1234567890",
            "fbc": "fb.1.1700000000000.IwAR0abc-_",
            "client_ip_address": "203.0.113.7",
        },
        {
            "fbp": "fb.1.1700000000000.1234567890.AQ",
            "fbc": "fb.1.1700000000.IwAR0.AQEABAAA",
            "client_ip_address": "2001:db8::1",
        },
        {"client_ip_address": "203.0.113.7.AQEABAAA"},
    ],
)
def test_what_is_right_is_not_complained_of(meta: Asgi, user: dict[str, str]) -> None:
    """Plain values, and those to which the Parameter Builder has appended its two or eight characters."""
    send(meta, event(user_data={"em": [HASH], "client_user_agent": "x", **user}))
    assert seen(meta)[0]["events"][0]["complaints"] == []


def test_missing_match_keys_are_named_and_not_scored(meta: Asgi) -> None:
    """Of a website's event; other sources have other keys."""
    send(meta)
    send(meta, event(event_id="e-2", action_source="physical_store"))
    first, second = (call["events"][0] for call in seen(meta))
    assert first["missing_keys"] == ["ph", "fbc", "fbp", "external_id", "client_ip_address"]
    assert second["missing_keys"] == []
    assert not [key for key in first if "score" in key]


# -- what a request says of itself


def test_a_test_event_code_stands_beside_the_call_and_the_event_counts(meta: Asgi) -> None:
    """Left on in production, it is a finding, not a shield."""
    send(meta, test_event_code="TEST12345")
    send(meta, event(event_id="e-2"), test_event_code=None)
    assert [call["test_event_code"] for call in seen(meta)] == ["TEST12345", None]
    assert seen(meta)[0]["events"][0]["verdict"] == "counted"


def test_limited_data_use_is_shown(meta: Asgi) -> None:
    """`["LDU"]` with its country and state passes, and can be seen."""
    ldu = {
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 1,
        "data_processing_options_state": 1000,
    }
    assert send(meta, event(**ldu)).status_code == 200
    assert seen(meta)[0]["events"][0]["data_processing_options"] == ["LDU"]


# -- every answer


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_answer_of_the_table_can_be_armed(meta: Asgi, name: str) -> None:
    """Status, code and subcode as the table has them, in Graph's envelope, once; then Meta is well again."""
    row = TABLE[name]
    assert meta.arm(fault="refusal", error=name, strikes=1).status_code == 200
    answer = send(meta)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (row.status, row.code, row.subcode)
    assert error.get("is_transient") == row.is_transient
    assert "{" not in json.dumps(error["message"])
    assert send(meta).status_code == 200


def test_an_answer_that_does_not_exist_cannot_be_armed(meta: Asgi) -> None:
    """400, with all that there are."""
    answer = meta.arm(fault="refusal", error="to_old")
    assert answer.status_code == 400
    assert "too_old" in answer.json()["error"]["message"]
