"""Tracking over a real PostgreSQL: what is stored of a visitor, what a refusal does, and what Meta would be told."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from werkzeug.test import TestResponse

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import matching
import matching_world
from matching_world import Click, Contact, Sale

from reference_impl.db import tenants, visits
from reference_impl.db.migrate import migrate
from reference_impl.dispatch import commands, outbox, store, strays, visitors
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.relay import Pace, Relay
from reference_impl.dispatch.sender import Sender
from reference_impl.dispatch.stopping import Stop
from reference_impl.domain.conversion import Trail
from reference_impl.domain.matching import Contact as Known
from reference_impl.gateways import known
from reference_impl.monitoring.meter import Meter
from reference_impl.sealing import Sealer, new_key
from reference_impl.secrets import GatewaySecret, GatewaySecrets
from reference_impl.web.app import create_app
from reference_impl.web.database import Database
from reference_impl.web.intake import Rules
from reference_impl.web.visitor import Visitors

NOW_S = 1_771_927_205
DAY_S = 86_400
SECRET = "a-secret-that-nobody-says"
ADDRESS, BROWSER = "203.0.113.77", "Canary/7.7 (a browser that nobody has)"
FBCLID = "IwAR0aBcDeFgHiJkLmNoPqRs"
FBP = "fb.1.1771926000000.1234567890"


class World:
    """One test's database and application; `now_s` is the application's clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now_s: float = NOW_S
        self.db = psycopg.connect(url, autocommit=True)
        self.database = Database(url, size=4)
        self.sealer = Sealer([new_key()])
        self.app = create_app(
            database=self.database,
            secrets=GatewaySecrets(_Secrets(), ttl_s=60, monotonic_s=lambda: 0.0, now_s=lambda: self.now_s),  # type: ignore[arg-type]
            seals=self.sealer,
            visitors=Visitors(seals=self.sealer, trusted_hops=1, keep_s=8 * DAY_S),
            queue_complaint=lambda: None,
            now_s=lambda: self.now_s,
            webhook_rules=Rules(window_s=7 * DAY_S, client_s=8 * DAY_S),
            trusted_hops=1,
            max_body_bytes=20_000,
        )
        self.tenant("t1", hotmart="plan")

    def tenant(self, name: str, **dialects: str) -> None:
        tenants.put(self.db, tenant=name, pixel_id="1", timezone="America/Sao_Paulo", dialects=dialects)

    def track(
        self, kind: str, told: object, *, address: str | None = ADDRESS, tenant: str = "t1", **headers: str
    ) -> TestResponse:
        """As a browser would, through the one proxy in front."""
        sent = {"User-Agent": BROWSER, **({"X-Forwarded-For": address} if address else {}), **headers}
        path = f"/api/v1/tracking/{tenant}/{kind}"
        return self.app.test_client().post(path, data=json.dumps(told), headers=sent, content_type="application/json")

    def told(self, kind: str, **told: Any) -> Any:
        """The answer to what was taken."""
        answer = self.track(kind, told)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return answer.get_json()

    def buy(
        self, sale_id: str = "HT1", *, email: str = "ana@x.example", phone: str | None = None, **trail: str
    ) -> None:
        """A purchase, paid this second, in Hotmart's plan dialect."""
        body = {
            "order_id": sale_id, "customer": {"email": email, **({"phone": phone} if phone else {})}, "amount": 10,
            "currency": "BRL", "status": "approved", "tracking": trail,
            "event_time": datetime.fromtimestamp(int(self.now_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        raw = json.dumps(body).encode()
        signed = {"X-Signature": "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()}
        answer = self.app.test_client().post(
            "/api/v1/webhooks/hotmart/t1", data=raw, headers=signed, content_type="application/json"
        )
        assert answer.status_code == 202, answer.get_data(as_text=True)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.db.execute(query.encode(), values).fetchall()

    def states(self) -> dict[str, tuple[str, str | None]]:
        """State and reason of each conversion, by its kind and sale."""
        found = self.rows("SELECT kind || ' ' || sale_id, state, hold_reason FROM conversions")
        return {name: (state, reason) for name, state, reason in found}

    def everything(self) -> str:
        """All that is stored, as text."""
        names = [name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return "\n".join(str(row) for name in names for row in self.rows(f"SELECT t::text FROM {name} t"))  # noqa: S608

    def events(self) -> list[Mapping[str, Any]]:
        """What Meta would be told now, in the order of their ids; they are claimed by it."""
        ids = [one for (one,) in self.rows("SELECT id FROM conversions WHERE state = 'pending'")]
        claimed = store.claim(self.db, ids, lease_s=60)
        return sorted((commands._to_event(self.sealer, one) for one in claimed), key=lambda one: str(one["event_id"]))

    def event(self) -> Mapping[str, Any]:
        """The one that there is."""
        [found] = self.events()
        return found


class _Secrets:
    def gateway_secrets(self, tenant: str) -> Mapping[str, GatewaySecret]:
        return {name: GatewaySecret(values=(SECRET,)) for name in known()}


@pytest.fixture
def world(postgres: Any) -> Iterator[World]:
    """A database of the test's own, and tenant t1 with Hotmart in the plan's dialect."""
    world = World(postgres.new())
    yield world
    world.database.close()
    world.db.close()
    postgres.drop(world.url)


# --- page events


@pytest.mark.parametrize(("kind", "name"), [("pageview", "PageView"), ("checkout", "InitiateCheckout")])
def test_a_page_becomes_an_event_for_meta(world: World, kind: str, name: str) -> None:
    """Under the page's own id, without a value or an order; with the visitor, the click's fbc and what was left."""
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP)
    world.now_s += 90
    world.told(kind, click_id="c-1", event_id="px.1", url="https://shop.example/a?x=1", email=" Ana@X.example")
    assert world.event() == {
        "event_name": name,
        "event_id": "px.1",
        "event_time": NOW_S + 90,
        "action_source": "website",
        "event_source_url": "https://shop.example/a",
        "user_data": {
            "client_ip_address": ADDRESS,
            "client_user_agent": BROWSER,
            "em": [hashlib.sha256(b"ana@x.example").hexdigest()],
            "fbc": f"fb.1.{NOW_S * 1000}.{FBCLID}",
            "fbp": FBP,
        },
    }
    assert world.rows("SELECT page FROM outbox") == [(True,)]
    assert world.rows("SELECT count(*) FROM conversions WHERE kind = 'purchase'") == [(0,)]


def test_the_page_knows_better_than_the_click(world: World) -> None:
    """An fbclid or a cookie of the page's own is later than what the click told."""
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP)
    world.told("pageview", click_id="c-1", event_id="1", fbclid="IwARanother", fbp="fb.1.1771926000000.99")
    world.told("pageview", click_id="c-1", event_id="2", fbc=f"fb.1.1771920000000.{FBCLID}")
    one, two = (event["user_data"] for event in world.events())
    assert (one["fbc"], one["fbp"]) == (f"fb.1.{NOW_S * 1000}.IwARanother", "fb.1.1771926000000.99")
    assert two["fbc"] == f"fb.1.1771920000000.{FBCLID}"


def test_a_page_told_again_is_nothing_new(world: World) -> None:
    """One row, one outbox entry, the first one's words; the same id as another kind, or at another shop, is another."""
    world.tenant("t2", hotmart="plan")
    for fbp in (FBP, "fb.1.1771926000000.99"):
        assert world.told("pageview", event_id="e", fbp=fbp) == {"event_id": "e"}
    world.told("checkout", event_id="e", fbp=FBP)
    assert world.track("pageview", {"event_id": "e", "fbp": FBP}, tenant="t2").status_code == 202
    assert world.rows("SELECT count(*) FROM outbox") == [(3,)]
    assert world.rows("SELECT kind, tenant_id FROM conversions ORDER BY 1, 2") == [
        ("checkout", "t1"), ("pageview", "t1"), ("pageview", "t2"),
    ]  # fmt: skip
    assert world.rows("SELECT user_data->>'fbp' FROM conversions WHERE kind = 'pageview' AND tenant_id = 't1'") == [
        (FBP,)
    ]


@pytest.mark.parametrize(
    ("told", "address", "state"),
    [
        ({}, ADDRESS, ("pending", None)),
        ({}, None, ("suppressed", "no match keys")),
        ({"fbp": FBP}, None, ("pending", None)),
        ({"email": "ana@x.example"}, None, ("pending", None)),
        ({"fbp": FBP, "consent": "denied"}, ADDRESS, ("suppressed", "consent denied")),
        ({"fbp": FBP, "consent": "granted"}, ADDRESS, ("pending", None)),
    ],
)
def test_what_is_sent_of_a_page(world: World, told: dict[str, str], address: str | None, state: Any) -> None:
    """Only of whom Meta could find, and who has not refused; of the others the fact alone is kept."""
    assert world.track("pageview", {"event_id": "e", **told}, address=address).status_code == 202
    assert world.states() == {"pageview e": state}
    if state[0] == "suppressed":
        columns = "user_data, source_url, client_sealed, client_expires_at"
        assert world.rows(f"SELECT {columns} FROM conversions") == [({}, None, None, None)]  # noqa: S608
        assert world.rows("SELECT * FROM outbox") == []


# --- the visitor


def test_a_visitor_is_sealed_and_goes_with_the_purchase(world: World) -> None:
    """Nothing plain in any table; Meta is given the click's, not the webhook's; gone once it is delivered."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.told("pageview", click_id="c-1", event_id="e")
    world.buy(click_id="c-1")
    stored = world.everything()
    assert ADDRESS not in stored
    assert "Canary" not in stored
    ends = world.rows("SELECT DISTINCT extract(epoch FROM client_expires_at)::bigint FROM conversions")
    assert ends == [(NOW_S + 8 * DAY_S,)]
    events = world.events()
    clients = [{key: one["user_data"].get(key) for key in ("client_ip_address", "client_user_agent")} for one in events]
    assert clients == [{"client_ip_address": ADDRESS, "client_user_agent": BROWSER}] * 2
    world.db.execute("UPDATE conversions SET claimed_until = NULL")
    ids = [one for (one,) in world.rows("SELECT id FROM conversions")]
    batch = store.claim(world.db, ids, lease_s=60)
    outcome: Any = type("Outcome", (), {"kind": type("K", (), {"value": "sent"}), "status": 200, "code": None,
                                        "subcode": None})  # fmt: skip
    store.deliver(world.db, batch, store.Call(batch_id=uuid.uuid4(), outcome=outcome, duration_ms=1))
    assert world.rows("SELECT DISTINCT client_sealed, client_expires_at FROM conversions") == [(None, None)]


def test_a_payloads_address_is_surer_than_the_clicks(world: World) -> None:
    """Several seals stand side by side; each fills in what those before it do not say."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.buy(click_id="c-1")
    payload = world.sealer.seal(json.dumps({"ip": "198.51.100.1"}))
    world.db.execute("UPDATE conversions SET client_sealed = %s || ' ' || client_sealed", [payload])
    user_data = world.event()["user_data"]
    assert (user_data["client_ip_address"], user_data["client_user_agent"]) == ("198.51.100.1", BROWSER)


def test_a_seal_that_nobody_opens_stops_no_sale(world: World) -> None:
    """The keys are gone: it is sent without."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.buy(click_id="c-1")
    world.sealer = Sealer([new_key()])
    assert "client_ip_address" not in world.event()["user_data"]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (ADDRESS, ADDRESS),
        (f"6.6.6.6, {ADDRESS}", ADDRESS),
        (f"{ADDRESS}, 2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("203.0.113.77:5000", ADDRESS),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_address_is_what_our_own_proxy_says(world: World, forwarded: str, address: str | None) -> None:
    """What stands before its word anybody may have invented."""
    assert world.track("pageview", {"fbp": FBP}, address=forwarded).status_code == 202
    assert world.event()["user_data"].get("client_ip_address") == address


def test_visitors_are_forgotten_at_their_hour(world: World) -> None:
    """Clicks keep their id and lose the seal; page events go; purchases and what is in the middle of a try stay."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.told("pageview", event_id="done", fbp=FBP)
    world.told("pageview", event_id="in hand", fbp=FBP)
    world.buy(click_id="c-1")
    world.db.execute("UPDATE conversions SET claimed_until = now() + interval '1 hour' WHERE sale_id = 'in hand'")
    visitors.forget(world.db, now_s=NOW_S + 8 * DAY_S - 1, page_days=8)
    assert len(world.states()) == 3
    assert world.rows("SELECT count(*) FROM clicks WHERE client_sealed IS NOT NULL") == [(1,)]
    visitors.forget(world.db, now_s=NOW_S + 8 * DAY_S + 1, page_days=8, batch=1)
    assert sorted(world.states()) == ["pageview in hand", "purchase HT1"]
    assert world.rows("SELECT click_id, client_sealed, client_expires_at FROM clicks") == [("c-1", None, None)]


def test_a_seal_that_has_ended_goes_with_no_purchase(world: World) -> None:
    """Though nobody has tidied up yet."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.db.execute("UPDATE clicks SET client_expires_at = %s", [datetime.fromtimestamp(NOW_S - 1, UTC)])
    world.buy(click_id="c-1")
    assert world.rows("SELECT client_sealed FROM conversions") == [(None,)]
    assert world.rows("SELECT method FROM matches") == [("click_id",)]


# --- consent


def refused(reason: str) -> tuple[str, str]:
    return "suppressed", reason


@pytest.mark.parametrize("how", ["consent", "click", "pageview", "checkout"])
def test_a_refusal_works_backwards(world: World, how: str) -> None:
    """By whatever request it is told: what waits is stopped, what identified is wiped, what follows is not sent."""
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP, url="https://shop.example/a", utm_source="fb")
    world.told("checkout", click_id="c-1", event_id="before", email="ana@x.example")
    world.buy("before", click_id="c-1")
    assert set(world.states().values()) == {("pending", None)}
    more = {"event_id": "telling"} if how in ("pageview", "checkout") else {}
    world.told(how, click_id="c-1", consent="denied", **more)
    world.told("pageview", click_id="c-1", event_id="after", fbp=FBP)
    world.buy("after", click_id="c-1")
    withdrawn, denied = refused("consent withdrawn"), refused("consent denied")
    telling = {f"{how} telling": denied} if more else {}
    assert world.states() == {
        "checkout before": withdrawn, "purchase before": withdrawn, **telling,
        "pageview after": denied, "purchase after": denied,
    }  # fmt: skip
    columns = "url, fbclid, fbc, fbp, campaign, client_sealed, client_expires_at, consent"
    assert world.rows(f"SELECT {columns} FROM clicks") == [(None, None, None, None, {}, None, None, "denied")]  # noqa: S608
    kept = world.rows("SELECT DISTINCT user_data, source_url, client_sealed FROM conversions WHERE sale_id = 'before'")
    assert kept == [({}, None, None)]


def test_a_refusal_is_known_by_the_e_mail_too(world: World) -> None:
    """Left while it was not refused: the purchase names no click, and is theirs all the same."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.told("checkout", click_id="c-1", email="ana@x.example")
    world.told("consent", click_id="c-1", consent="denied")
    world.buy()
    assert world.states()["purchase HT1"] == refused("consent denied")


def test_a_refusal_of_a_click_that_was_never_told_is_kept(world: World) -> None:
    """The click's own request may have been lost, or be late."""
    world.told("consent", click_id="c-1", consent="denied")
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP)
    world.buy(click_id="c-1")
    assert world.states() == {"purchase HT1": refused("consent denied")}
    assert world.rows("SELECT fbclid, fbp, client_sealed FROM clicks") == [(None, None, None)]


def test_a_refusal_concerns_its_own_visitor(world: World) -> None:
    """Not another one's, and not the same id at another shop."""
    world.tenant("t2", hotmart="plan")
    for name in ("c-1", "c-2"):
        world.told("click", click_id=name, fbp=FBP)
        world.told("pageview", click_id=name, event_id=name)
    assert world.track("consent", {"click_id": "c-1", "consent": "denied"}, tenant="t2").status_code == 202
    world.told("consent", click_id="c-2", consent="denied")
    assert world.states() == {"pageview c-1": ("pending", None), "pageview c-2": refused("consent withdrawn")}


def test_a_contact_that_comes_late_is_not_kept(world: World) -> None:
    """The refusal may overtake a checkout that is being written."""
    world.told("click", click_id="c-1", consent="denied")
    visits.add_contact(world.db, tenant="t1", click_id="c-1", told=Known(em="0a", ph="0b"))
    assert world.rows("SELECT em, ph FROM clicks") == [(None, None)]


def test_who_agrees_again_is_told_again(world: World) -> None:
    """What was wiped is not known any more; to say nothing changes nothing."""
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP, consent="denied")
    world.told("pageview", click_id="c-1", event_id="silent", fbp=FBP)
    world.told("pageview", click_id="c-1", event_id="agreed", fbp=FBP, consent="granted")
    world.told("consent", click_id="c-1", consent="unknown")
    world.told("pageview", click_id="c-1", event_id="later", fbp=FBP)
    assert world.states() == {
        "pageview silent": refused("consent denied"),
        "pageview agreed": ("pending", None), "pageview later": ("pending", None),
    }  # fmt: skip


def test_what_is_in_flight_is_not_sent_again_after_a_refusal(world: World) -> None:
    """Nobody could stop the first try; the next claim looks at the click."""
    world.told("click", click_id="c-1", fbp=FBP)
    world.told("pageview", click_id="c-1", event_id="e")
    world.buy(click_id="c-1")
    ids = [one for (one,) in world.rows("SELECT id FROM conversions")]
    assert not any(one.refused for one in store.claim(world.db, ids, lease_s=60))
    world.told("consent", click_id="c-1", consent="denied")
    assert {state for state, _ in world.states().values()} == {"pending"}
    world.db.execute("UPDATE conversions SET claimed_until = NULL")
    batch = store.claim(world.db, ids, lease_s=60)
    assert [one.refused for one in batch] == [True, True]
    sender: Any = Sender.__new__(Sender)
    object.__setattr__(sender, "too_old", lambda one: True)
    object.__setattr__(sender, "meter", Meter())
    assert sender._still_sendable(world.db, batch) == []
    assert set(world.states().values()) == {refused("consent withdrawn before the dispatch")}


# --- what a browser may and may not send


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 202),
        ("text/plain;charset=UTF-8", 202),
        ("application/csp-report+json", 202),
        ("", 202),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
    ],
)
def test_a_beacon_may_call_it_text(world: World, kind: str, status: int) -> None:
    """`sendBeacon` does; forms and the like are somebody else's."""
    answer = world.app.test_client().post("/api/v1/tracking/t1/pageview", data=b'{"fbp":null}', content_type=kind)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "told",
    [
        {"consent": "maybe", "click_id": "c"}, {"consent": "denied"}, {"click_id": "c"},
        {"click_id": "c", "consent": None},
        {"click_id": "a b", "consent": "denied"}, {"click_id": ["c"], "consent": "denied"}, [], "denied", None,
    ],
)  # fmt: skip
def test_a_consent_that_says_nothing(world: World, told: object) -> None:
    """422, and nothing is changed."""
    assert world.track("consent", told).status_code == 422
    assert world.rows("SELECT * FROM clicks") == []


@pytest.mark.parametrize("fbc", ["fb.1.x.abc", "abc", "fb.1.1771920000000.", "fb.1.1771920000000.a b", 7, "x" * 700])
def test_an_fbc_that_is_none(world: World, fbc: object) -> None:
    """422: Meta would find fault with it."""
    assert world.track("click", {"fbc": fbc}).status_code == 422


# --- the way to the checkout


def test_a_click_is_answered_with_each_gateways_parameters(world: World) -> None:
    """Of the tenant's own gateways, each in its dialect; without an fbclid where it would be cut."""
    world.tenant("t1", hotmart="vendor", kiwify="vendor", perfectpay="vendor", stripe="vendor")
    long = "IwAR" + "x" * 57
    found = world.told("click", click_id="c-1", fbclid=long, fbp=FBP)["checkout_params"]
    fbc = f"fb.1.{NOW_S * 1000}.{long}"
    assert found == {
        "hotmart": {"xcod": "c-1", "sck": long},
        "kiwify": {"s1": "c-1"},
        "perfectpay": {"src": "c-1", "sck": long, "_fbp": FBP, "_fbc": fbc},
        "stripe": {
            "metadata[click_id]": "c-1", "metadata[fbclid]": long, "metadata[fbp]": FBP, "metadata[fbc]": fbc,
        },
    }  # fmt: skip
    world.tenant("t1", kiwify="plan")
    assert world.told("click", click_id="c-2")["checkout_params"] == {"kiwify": {"click_id": "c-2"}}


def test_who_refused_is_followed_by_an_id_alone(world: World) -> None:
    """The purchase must be able to name the click on which they refused."""
    world.tenant("t1", perfectpay="vendor")
    found = world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP, consent="denied")["checkout_params"]
    assert found == {"perfectpay": {"src": "c-1"}}


@pytest.mark.parametrize("name", sorted(known()))
def test_no_gateway_is_asked_to_carry_nothing(name: str) -> None:
    """What is not known is not a parameter."""
    for dialect in known()[name].dialects:
        assert known()[name].checkout_params(Trail(), dialect=dialect) == {}
        assert len(known()[name].checkout_params(Trail(click_id="c"), dialect=dialect)) == 1


# --- page events and purchases on one road


class _Queue:
    def __init__(self, waiting: int = 0) -> None:
        self.sent: list[str] = []
        self._waiting = waiting

    def send(self, ids: Sequence[str], *, reasons: Mapping[str, str] | None = None) -> set[str]:
        self.sent += ids
        return set()

    def receive(self, **_: Any) -> list[Any]:
        return []

    def waiting(self) -> int:
        return self._waiting


def _flood(world: World, pages: int) -> str:
    """So many page views, and a purchase behind them; the purchase's id."""
    for number in range(pages):
        world.told("pageview", event_id=str(number), fbp=FBP)
    world.buy()
    [(found,)] = world.rows("SELECT id::text FROM conversions WHERE kind = 'purchase'")
    return str(found)


@contextmanager
def _relay(world: World, queue: Any, pages: Any, *, claim_size: int) -> Iterator[Relay]:
    with closing(Session(lambda: psycopg.connect(world.url, autocommit=True))) as session, closing(Stop()) as stop:
        yield Relay(session=session, queue=queue, pages=pages, stop=stop, claim_size=claim_size)


def test_a_purchase_does_not_wait_behind_pages(world: World) -> None:
    """It is claimed first though it came last, and goes by a queue in which no page stands."""
    purchase = _flood(world, 7)
    queue, pages = _Queue(), _Queue()
    with _relay(world, queue, pages, claim_size=3) as relay:
        assert relay.move() == 3
        assert (queue.sent, len(pages.sent)) == ([purchase], 2)
        while relay.move():
            pass
    assert (len(queue.sent), len(pages.sent)) == (1, 7)
    assert world.rows("SELECT DISTINCT state FROM conversions") == [("queued",)]


def test_page_events_gather_and_purchases_do_not_wait_for_them(world: World) -> None:
    """The first goes at once; what comes within half a second of it goes together; a purchase goes meanwhile."""
    clock = [0.0]
    queue, pages = _Queue(), _Queue()
    with _relay(world, queue, pages, claim_size=100) as relay:
        quick = replace(relay, pages_pace=Pace(0.5, lambda: clock[0]), fallback_s=0.0, rest_s=0.0)
        _flood(world, 1)
        quick.step()
        assert (len(queue.sent), len(pages.sent)) == (1, 1)
        clock[0] = 0.4
        for number in ("second", "third"):
            world.told("pageview", event_id=number, fbp=FBP)
        world.buy("HT2")
        quick.step()
        assert (len(queue.sent), len(pages.sent)) == (2, 1)
        clock[0] = 0.5
        quick.step()
        assert (len(queue.sent), len(pages.sent)) == (2, 3)


def test_the_relay_looks_again_when_the_page_events_may_go(world: World) -> None:
    """It does not sleep over them until its fallback, however long that is."""
    queue, pages = _Queue(), _Queue()
    with _relay(world, queue, pages, claim_size=100) as relay:
        patient = replace(relay, pages_pace=Pace(0.1), fallback_s=30.0, rest_s=0.0)
        _flood(world, 1)
        began_s = time.monotonic()
        patient.step()
        world.told("pageview", event_id="second", fbp=FBP)
        while len(pages.sent) < 2:
            patient.step()
        assert time.monotonic() - began_s < 10


def test_a_tenant_that_is_gone_is_known_to_be_gone(world: World) -> None:
    """A process remembers whose page events it has taken; the database still has the last word."""
    world.told("pageview", fbp=FBP)
    world.db.execute("DELETE FROM tenants WHERE id = 't1'")
    for _ in range(2):
        answer = world.track("pageview", {"fbp": FBP})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "unknown_tenant")


def test_without_a_queue_of_their_own_pages_go_the_purchases_way(world: World) -> None:
    """None is lost where `aws create` has not been run yet."""
    _flood(world, 3)
    queue = _Queue()
    with _relay(world, queue, None, claim_size=100) as relay:
        assert relay.move() == 4
    assert len(queue.sent) == 4


def test_what_was_held_comes_back_to_its_own_road(world: World) -> None:
    """Purchases first there too, for a retry and for the scout of a breaker."""
    _flood(world, 4)
    world.db.execute("DELETE FROM outbox")
    world.db.execute(
        "UPDATE conversions SET state = 'held', hold_reason = 'retry', held_until = now() - interval '1 s'"
    )
    assert outbox.release_due(world.db, limit=2) == 2
    assert sorted(world.rows("SELECT page FROM outbox")) == [(False,), (True,)]
    world.db.execute("DELETE FROM outbox")
    world.db.execute(
        "UPDATE conversions SET state = 'held', hold_reason = 'breaker', held_until = now() - interval '1 s'"
    )
    assert outbox.release_due(world.db) == 1
    assert world.rows("SELECT page FROM outbox") == [(False,)]


@pytest.mark.parametrize(
    ("queue", "pages", "found"), [(0, 0, [False, True, True]), (0, 9, [False]), (9, 0, [True] * 2)]
)
def test_strays_are_sent_again_where_their_road_is_empty(world: World, queue: int, pages: int, found: Any) -> None:
    """A backlog of pages holds no stray purchase back."""
    _flood(world, 2)
    world.db.execute("DELETE FROM outbox")
    roads: Any = (_Queue(queue), _Queue(), _Queue(pages))
    strays.recover(world.db, roads[0], roads[1], older_than_s=0, pages=roads[2])
    assert sorted(page for (page,) in world.rows("SELECT page FROM outbox")) == sorted(found)


# --- two people on one device, and the whole world


def test_somebody_else_on_the_device_takes_no_click_over(world: World) -> None:
    """Neither by their purchase nor by their checkout, and the click stays its own visitor's."""
    world.told("click", click_id="c-1", fbclid=FBCLID, fbp=FBP)
    world.told("checkout", click_id="c-1", email="ana@x.example", phone="11987654321")
    world.told("checkout", click_id="c-1", email="bia@x.example", phone="11912345678")
    world.buy("bia", email="bia@x.example", phone="11912345678", click_id="c-1")
    assert world.rows("SELECT * FROM matches") == []
    world.buy("ana", email="ana@x.example", phone="11987654321")
    assert world.rows("SELECT method FROM matches") == [("email",)]
    user_data = {
        event["custom_data"]["order_id"]: event["user_data"] for event in world.events() if "custom_data" in event
    }
    assert ("fbc" in user_data["bia"], "client_ip_address" in user_data["bia"]) == (False, False)
    assert user_data["ana"]["fbc"] == f"fb.1.{NOW_S * 1000}.{FBCLID}"


def test_the_world_through_web_and_database_is_matched_as_by_the_rules_alone(world: World) -> None:
    """Every click, contact and sale of a small world, told over HTTP: the very same matches as in the benchmark."""
    small = matching_world.make(3, buyers=250)
    for event in small.events:
        world.now_s = NOW_S + event.at_s
        match event:
            case Click():
                world.told(
                    "click", click_id=event.click_id, fbclid=event.fbclid, fbp=f"fb.1.1771926000000.{event.device}"
                )
            case Contact():
                world.told("checkout", click_id=event.click_id, email=event.email, phone=event.phone)
            case Sale():
                trail = {key: value for key in ("click_id", "fbclid") if (value := getattr(event, key))}
                world.buy(str(event.buyer), email=event.email or "", phone=event.phone, **trail)
    found = world.rows("SELECT c.sale_id::int, m.click_id FROM matches m JOIN conversions c ON c.id = m.conversion_id")
    by_rules = matching.RULES["the product's"](small)
    assert dict(found) == by_rules
    score = matching.score(list(small.truths()), dict(found))
    assert score.precision.value > 0.95
    assert score.recall.value > 0.95
    assert score.recall.of > 150


def test_a_claim_tells_a_purchase_from_a_page(world: World) -> None:
    """Ids are what a queue carries; both kinds come out of it."""
    _flood(world, 1)
    ids: list[UUID] = [one for (one,) in world.rows("SELECT id FROM conversions")]
    events = {one.event_name: commands._to_event(world.sealer, one) for one in store.claim(world.db, ids, lease_s=60)}
    assert events["Purchase"]["custom_data"] == {"value": 10, "currency": "BRL", "order_id": "HT1"}
    assert "custom_data" not in events["PageView"]


def test_the_migration_goes_down_with_page_events_in_it(world: World) -> None:
    """They go, purchases stay, and up again is up again."""
    _flood(world, 2)
    while world.rows("SELECT version_num FROM alembic_version") != [("0001",)]:
        migrate(world.url, "-1")
    assert world.rows("SELECT kind FROM conversions") == [("purchase",)]
    migrate(world.url)
    world.told("pageview", event_id="after", fbp=FBP)
