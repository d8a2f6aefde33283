"""The official facebook-business SDK against the fake Meta: what a client of Meta's own making reads."""
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import pytest
import requests
from facebook_business import FacebookAdsApi
from facebook_business.adobjects.adspixel import AdsPixel
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.event_request_async import EventRequestAsync
from facebook_business.adobjects.serverside.event_response import EventResponse
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator

LIMIT_S = 30.0
_NUMBERS = count(1)


@dataclass(frozen=True)
class Account:
    """A pixel of its own, with the SDK set up for it."""

    url: str
    pixel: str
    token: str

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.url}/_golive/{path}", json=body, timeout=LIMIT_S)
        answer.raise_for_status()
        return answer.json()

    def arm(self, fault: str, **parameters: Any) -> None:
        self.control("POST", f"pixels/{self.pixel}/faults", {"fault": fault, **parameters})

    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", f"seen?pixel={self.pixel}")["calls"]
        return found

    def verdicts(self) -> list[list[str]]:
        return [[event["verdict"] for event in call["events"]] for call in self.calls()]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fake Meta."""
    nursery = Nursery(lambda death: None)
    simulator = LocalSimulator("meta")
    try:
        child = simulator.start(nursery, env=os.environ, log=tmp_path_factory.mktemp("meta") / "log")
        simulator.wait_ready(child, within_s=LIMIT_S)
        yield simulator.url
    finally:
        nursery.stop_all()


@pytest.fixture
def account(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The SDK speaks to the fake, with the token of a pixel of this test's own."""
    number = next(_NUMBERS)
    found = Account(url, pixel=str(800_000_000_000_000 + number), token=f"EAAsdk{number}")
    found.control("PUT", f"pixels/{found.pixel}", {"tokens": [{"token": found.token}]})
    monkeypatch.setattr(FacebookSession, "GRAPH", url)
    before = FacebookAdsApi.get_default_api()
    FacebookAdsApi.init(access_token=found.token, crash_log=False)
    yield found
    FacebookAdsApi.get_default_api()._session.requests.close()
    FacebookAdsApi.set_default_api(before)


def purchase(event_id: str, **changes: Any) -> Event:
    """As the SDK's own examples have it."""
    whole: dict[str, Any] = {
        "event_name": "Purchase",
        "event_time": int(time.time()) - 60,
        "event_id": event_id,
        "event_source_url": "https://example.com/checkout",
        "action_source": ActionSource.WEBSITE,
        "user_data": UserData(
            emails=["Maria@Example.com "],
            phones=["5511987654321"],
            client_ip_address="192.0.2.1",
            client_user_agent="Mozilla/5.0",
            fbp="fb.1.1772366400000.42",
            external_id="buyer-7",
            country_code="br",
        ),
        "custom_data": CustomData(
            value=297.0,
            currency="BRL",
            order_id="HP1",
            contents=[Content(product_id="p-1", quantity=1, item_price=297.0)],
        ),
    }
    return Event(**{**whole, **changes})


def send(account: Account, *events: Event) -> EventResponse:
    return EventRequest(pixel_id=account.pixel, events=list(events)).execute()


def send_async(account: Account, *events: Event) -> EventResponse:
    return asyncio.run(EventRequestAsync(pixel_id=account.pixel, events=list(events)).execute())


Send = Callable[..., EventResponse]
each_way = pytest.mark.parametrize("way", [send, send_async])


@each_way
def test_what_the_sdk_sends_counts_once(account: Account, way: Send) -> None:
    """Each event is received, counted, and shown as the SDK normalised it; e-mails are hashed by the SDK."""
    answer = way(account, purchase("e-1"), purchase("e-2"))
    assert (answer.events_received, answer.messages) == (2, [])
    assert answer.fbtrace_id.startswith("A")
    (call,) = account.calls()
    assert account.verdicts() == [["counted", "counted"]]
    shown = call["events"][0]
    assert (shown["event_id"], shown["action_source"]) == ("e-1", "website")
    assert (shown["custom_data"]["value"], shown["custom_data"]["order_id"]) == (297.0, "HP1")
    assert shown["custom_data"]["contents"] == [{"id": "p-1", "quantity": 1, "item_price": 297.0}]
    assert "maria" not in str(shown["user_data"]).lower()
    assert (call["token_last4"], call["code"]) == (None, None)  # the token is short: not even its end is shown


@each_way
def test_a_duplicate_is_received_and_does_not_count(account: Account, way: Send) -> None:
    """The same event again, by either way of sending: nothing in the answer tells."""
    event = purchase("e-1")
    received = [one(account, event).events_received for one in (way, way, send)]
    assert received == [1, 1, 1]
    assert account.verdicts() == [["counted"], ["duplicate"], ["duplicate"]]


@pytest.mark.parametrize(
    ("changes", "subcode"),
    [
        ({"event_time": 1}, 2804003),
        ({"event_time": 4_000_000_000}, 2804004),
        ({"custom_data": CustomData(currency="BRL")}, 2804009),
        ({"custom_data": CustomData(value=1.0)}, 2804010),
        ({"user_data": UserData(client_user_agent="Mozilla/5.0")}, 2804050),
    ],
)
def test_a_refused_payload_is_an_exception(account: Account, changes: dict[str, Any], subcode: int) -> None:
    """Code, subcode, type and texts come through as the SDK names them; the good event beside it waits."""
    with pytest.raises(FacebookRequestError) as caught:
        send(account, purchase("e-1"), purchase("e-2", **changes))
    error = caught.value
    assert (error.http_status(), error.api_error_code(), error.api_error_subcode()) == (400, 100, subcode)
    assert (error.api_error_type(), error.api_error_message()) == ("OAuthException", "Invalid parameter")
    assert error.api_transient_error() is False
    assert error.body()["error"]["error_user_title"]
    assert send(account, purchase("e-1")).events_received == 1
    assert account.verdicts() == [["refused", "refused"], ["counted"]]


@pytest.mark.parametrize(
    ("state", "subcode"), [("expired", 463), ("password_changed", 460), ("unparsable", None), ("app_deleted", None)]
)
def test_a_dead_token_is_an_exception(account: Account, state: str, subcode: int | None) -> None:
    """190 and its subcode; the renewed token sends the same event."""
    event = purchase("e-1")
    account.control("PUT", f"tokens/{account.token}", {"state": state})
    with pytest.raises(FacebookRequestError) as caught:
        send(account, event)
    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (190, subcode)
    account.control("PUT", f"tokens/{account.token}", {"state": "valid"})
    assert send(account, event).events_received == 1


@pytest.mark.parametrize(
    ("fault", "code", "transient"), [("brown_out", 2, True), ("throttle", 4, True), ("expired_token", 190, None)]
)
def test_trouble_at_meta_is_an_exception_and_passes(
    account: Account, fault: str, code: int, transient: bool | None
) -> None:
    """The code says what it is, is_transient whether to come again; after its strike the event counts."""
    account.arm(fault, strikes=1)
    with pytest.raises(FacebookRequestError) as caught:
        send(account, purchase("e-1"))
    assert caught.value.api_error_code() == code
    assert caught.value.api_transient_error() == transient or not transient
    assert ("x-business-use-case-usage" in caught.value.http_headers()) == (fault == "throttle")
    assert send(account, purchase("e-1")).events_received == 1
    assert account.verdicts() == [["refused"], ["counted"]]


@pytest.mark.parametrize("fault", ["lose_reply", "cut_body"])
def test_a_lost_answer_is_a_connection_error_and_the_retry_a_duplicate(account: Account, fault: str) -> None:
    """The SDK does not retry; who does so with the same event_id counts once."""
    account.arm(fault, strikes=1)
    with pytest.raises(requests.RequestException):
        send(account, purchase("e-1"))
    assert send(account, purchase("e-1")).events_received == 1
    assert account.verdicts() == [["counted"], ["duplicate"]]


def test_the_async_sdk_does_not_see_errors(account: Account) -> None:
    """It reads fbtrace_id where an error has none: the fake nests it inside `error`, as Meta does."""
    with pytest.raises(KeyError, match="fbtrace_id"):
        send_async(account, purchase("e-1", event_time=1))
    assert account.verdicts() == [["refused"]]


def test_a_pixel_of_somebody_else(account: Account) -> None:
    """100/33, the most common set-up error."""
    with pytest.raises(FacebookRequestError) as caught:
        EventRequest(pixel_id="899999999999999", events=[purchase("e-1")]).execute()
    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (100, 33)
    assert caught.value.api_error_type() == "GraphMethodException"


def test_the_pixel_cannot_be_read_with_a_token_that_writes(account: Account) -> None:
    """The SDK asks with a slash at the end; the answer is that of the facts."""
    with pytest.raises(FacebookRequestError) as caught:
        AdsPixel(account.pixel).api_get(fields=["name"])
    assert (caught.value.api_error_code(), caught.value.api_error_message()) == (100, "(#100) Missing Permission")


def test_extra_parameters_are_taken(account: Account) -> None:
    """What the SDK may send beside the data changes nothing, nor does an app secret proof."""
    FacebookAdsApi.init(app_secret="sec", access_token=account.token, crash_log=False)
    extra = {"test_event_code": "TEST12345", "partner_agent": "golive", "upload_tag": "t", "namespace_id": "1"}
    answer = EventRequest(pixel_id=account.pixel, events=[purchase("e-1")], **extra).execute()
    assert answer.events_received == 1
    assert account.verdicts() == [["counted"]]


# -- batches and reading edges


def test_a_batch_of_the_sdk_holds_calls_of_their_own(account: Account) -> None:
    """Two purchases, one of them wrong, and a question: each answered by itself, as the SDK's callbacks see it."""
    api, told = FacebookAdsApi.get_default_api(), []
    batch = api.new_batch()
    wrong = purchase("b-2", event_time=int(time.time()) - 8 * 86_400)
    for event in (purchase("b-1"), wrong):
        batch.add(
            "POST",
            f"{account.pixel}/events",
            params={"data": [json.dumps(event.normalize())]},
            success=lambda answer: told.append(answer.json()),
            failure=lambda answer: told.append(answer.error()),
        )
    batch.add("GET", "me", success=lambda answer: told.append(answer.json()), failure=told.append)
    assert batch.execute() is None
    received, refused, me = told
    assert received["events_received"] == 1
    assert isinstance(refused, FacebookRequestError)
    assert (refused.http_status(), refused.api_error_subcode()) == (400, 2804003)
    assert me["id"].isdigit()
    assert account.verdicts() == [["counted"], ["refused"]]


def test_a_batch_above_fifty_is_refused(account: Account) -> None:
    """The documented limit, by its own type of exception; nothing of it is done."""
    api = FacebookAdsApi.get_default_api()
    batch = api.new_batch()
    for number in range(51):
        batch.add("POST", f"{account.pixel}/events", params={"data": [json.dumps(purchase(f"l-{number}").normalize())]})
    with pytest.raises(FacebookRequestError) as caught:
        batch.execute()
    assert caught.value.api_error_type() == "GraphBatchException"
    assert "Maximum batch size is 50" in str(caught.value.api_error_message())
    assert account.calls() == []


@pytest.mark.parametrize(
    "one",
    [
        7,
        {},
        {"method": "GET"},
        {"method": "POST", "relative_url": "/"},
        {"method": "GET", "relative_url": "v99.0/me"},
        {"method": "POST", "relative_url": "1/events", "body": 7},
        {"method": "GET", "relative_url": "//[/x?%ff"},
    ],
)
def test_whatever_stands_in_a_batch_is_answered(account: Account, one: object) -> None:
    """400 in its own place, never for the whole; a batch in a batch is none."""
    asked = {"batch": [one, {"method": "get", "relative_url": "me"}], "access_token": account.token}
    answer = requests.post(f"{account.url}/v26.0/", json=asked, timeout=LIMIT_S)
    assert answer.status_code == 200
    bad, good = answer.json()
    assert (bad["code"], good["code"]) == (400, 200)
    assert json.loads(bad["body"])["error"]["fbtrace_id"]
    assert {one["name"] for one in bad["headers"]} == {"Content-Type", "WWW-Authenticate"}
    asked["include_headers"] = "false"
    answer = requests.post(f"{account.url}/", data={**asked, "batch": json.dumps(asked["batch"])}, timeout=LIMIT_S)
    assert "headers" not in answer.json()[0]


def test_the_sdk_reads_a_pixel(account: Account) -> None:
    """The fields that were asked for and are known; when a server last fired, once one has."""
    account.control("PUT", f"pixels/{account.pixel}", {"tokens": [{"token": account.token, "kind": "USER"}]})
    asked = ["name", "last_fired_time", "owner_business"]
    assert dict(AdsPixel(account.pixel).api_get(fields=asked)) == {
        "id": account.pixel,
        "name": f"Pixel {account.pixel}",
    }
    send(account, purchase("f-1"))
    fired = str(AdsPixel(account.pixel).api_get(fields=asked)["last_fired_time"])
    assert abs(datetime.fromisoformat(fired).timestamp() - time.time()) < LIMIT_S
    assert dict(AdsPixel(account.pixel).api_get()) == {"id": account.pixel}


def test_the_sdk_reads_what_a_pixel_received(account: Account) -> None:
    """`/stats` counts by event and hour, of this pixel alone and before any deduplication, for who may read it."""
    for event_id in ("s-1", "s-1", "s-2"):
        EventRequest(pixel_id=account.pixel, events=[purchase(event_id)]).execute()
    with pytest.raises(FacebookRequestError, match="Missing Permission"):
        AdsPixel(account.pixel).get_stats(params={"aggregation": "event"})
    tokens = [{"token": account.token, "kind": "USER"}]
    account.control("PUT", f"pixels/{account.pixel}", {"tokens": tokens})
    rows = list(AdsPixel(account.pixel).get_stats(params={"aggregation": "event"}))
    counted = [(one["value"], one["count"]) for row in rows for one in row["data"]]
    assert (sum(number for _, number in counted), {name for name, _ in counted}) == (3, {"Purchase"})
    assert list(AdsPixel(account.pixel).get_stats(params={"aggregation": "event", "event": "Lead"})) == []
    early = {"aggregation": "event", "end_time": int(time.time()) - 60}
    assert list(AdsPixel(account.pixel).get_stats(params=early)) == []
    with pytest.raises(FacebookRequestError, match="aggregation"):
        AdsPixel(account.pixel).get_stats(params={"aggregation": "url"})
