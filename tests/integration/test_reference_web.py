"""The reference's web layer over a real PostgreSQL: what it answers, what it stores, and what it never tells."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from flask import Flask
from psycopg_pool import PoolTimeout
from werkzeug.test import TestResponse

from reference_impl import logs
from reference_impl.db import conversions, doors, newest_revision, people, tenants
from reference_impl.db.conversions import Arrived, Draft, Sale
from reference_impl.db.migrate import head, migrate
from reference_impl.dispatch import store
from reference_impl.dispatch.classify import Kind, Outcome
from reference_impl.domain.conversion import Buyer, Purchase
from reference_impl.domain.hashing import hash_buyer, sha256
from reference_impl.gateways import adapter
from reference_impl.sealing import Sealer, new_key
from reference_impl.secrets import GatewaySecret, GatewaySecrets
from reference_impl.web.app import create_app
from reference_impl.web.database import Database
from reference_impl.web.intake import Rules
from reference_impl.web.visitor import Visitors
from tests.rows import each_row

VECTORS = Path(__file__).parents[1] / "vectors"
CASES = sorted(path.relative_to(VECTORS).with_suffix("").as_posix() for path in VECTORS.glob("*/*/*.json"))
NOW_S = 1_771_927_205
DAY_S = 86_400
MAX_BODY = 20_000
SECRET = "a-secret-that-nobody-says"
SALE: dict[str, Any] = {
    "order_id": "HT1", "customer": {"email": "ana@canary.example", "phone": "+5511987654321"}, "amount": 99.90,
    "currency": "BRL", "status": "approved", "event_time": "2026-02-24T10:00:00Z", "product_id": "p-1",
}  # fmt: skip
HOOK = "/api/v1/webhooks/hotmart/t1"
#: What refused requests share: they store nothing, so that each row finds the world as the first one did.
REFUSED = ("world",)


@pytest.fixture
def captured_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that would be logged, as the processes log it."""
    stream, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger("reference_impl")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        for where, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
            patch.setattr(where, name, getattr(where, name))
        logs.set_up("INFO")
        yield stream
    root.handlers[:], root.level, ours.level, logging.raiseExceptions = before


class Store:
    """Secrets Manager's part: gateway secrets by tenant, or an error in their place."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[str]]] = {}
        self.error: Exception | None = None
        self.reads = 0

    def gateway_secrets(self, tenant: str) -> Mapping[str, GatewaySecret]:
        self.reads += 1
        if self.error:
            raise self.error
        return {name: GatewaySecret(values=tuple(values)) for name, values in self.values.get(tenant, {}).items()}


class World:
    """One test's database and application; `now_s` is the application's clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now_s: float = NOW_S
        self.monotonic_s = 0.0
        self.queue_complaint: str | None = None
        self.trusted_hops = 0
        self.store = Store()
        self.sealer = Sealer([new_key()])
        self.db = psycopg.connect(url, autocommit=True)
        self.name = self.db.info.dbname
        self.database = Database(url, size=8)
        self.app = self.app_over(self.database)
        self.tenant("t1", hotmart="plan")

    def app_over(self, database: Any) -> Flask:
        store: Any = self.store
        return create_app(
            database=database,
            secrets=GatewaySecrets(store, ttl_s=60, monotonic_s=lambda: self.monotonic_s, now_s=lambda: self.now_s),
            seals=self.sealer,
            visitors=Visitors(seals=self.sealer, trusted_hops=1, keep_s=8 * DAY_S),
            queue_complaint=lambda: self.queue_complaint,
            now_s=lambda: self.now_s,
            webhook_rules=Rules(window_s=7 * DAY_S, client_s=8 * DAY_S),
            trusted_hops=self.trusted_hops,
            max_body_bytes=MAX_BODY,
        )

    def close(self) -> None:
        self.database.close()
        self.db.close()

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Another connection, with transactions in so many words."""
        return psycopg.connect(self.url, autocommit=True)

    def eventually_waits_for_a_lock(self) -> None:
        """Return once somebody does, in this database."""
        deadline = time.monotonic() + 10
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        while not self.value(query, self.name):
            assert time.monotonic() < deadline, "nobody waits for a lock"

    def tenant(self, name: str, *, secret: str = SECRET, **dialects: str) -> None:
        tenants.put(self.db, tenant=name, pixel_id="1", timezone="America/Sao_Paulo", dialects=dialects)
        self.store.values[name] = {gateway: [secret] for gateway in dialects}

    def flag(self, flag: str, *, tenant: str = "t1") -> None:
        self.db.execute("UPDATE tenant_gateways SET flag = %s WHERE tenant_id = %s", [flag, tenant])

    def post(self, path: str, body: bytes = b"", **options: Any) -> TestResponse:
        options.setdefault("content_type", "application/json")
        return self.app.test_client().post(path, data=body, **options)

    def deliver(
        self, body: bytes | None = None, *, path: str = HOOK, secret: str = SECRET, **fields: Any
    ) -> TestResponse:
        """A body in Hotmart's plan dialect, rightly signed: SALE with other fields, or these bytes."""
        sent = json.dumps(SALE | fields).encode() if body is None else body
        return self.post(path, sent, headers={"X-Signature": plan_signature(sent, secret)})

    def track(self, kind: str, told: object, *, tenant: str = "t1") -> TestResponse:
        return self.post(f"/api/v1/tracking/{tenant}/{kind}", json.dumps(told).encode())

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.db.execute(query.encode(), values).fetchall()

    def value(self, query: str, *values: object) -> Any:
        [[found]] = self.rows(query, *values)
        return found

    def conversions(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT sale_id, state, hold_reason FROM conversions WHERE kind = 'purchase' ORDER BY received_at, sale_id"
        )

    def outbox(self) -> int:
        found: int = self.value("SELECT count(*) FROM outbox WHERE NOT page")
        return found

    def everything(self) -> str:
        """All that is stored, as text."""
        names = [name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return "\n".join(str(row) for name in names for row in self.rows(f"SELECT t::text FROM {name} t"))  # noqa: S608


def plan_signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
def world(postgres: Any) -> Iterator[World]:
    """A database of the test's own, and tenant t1 with Hotmart in the plan's dialect."""
    world = World(postgres.new())
    yield world
    world.close()
    postgres.drop(world.url)


def refused(answer: TestResponse, status: int, code: str) -> str:
    """Check that an answer is that refusal, as JSON and nothing else; its sentence."""
    told = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (status, "application/json"), answer.get_data(as_text=True)
    assert told == {"error": {"code": code, "message": told["error"]["message"]}}
    text = answer.get_data(as_text=True) + str(answer.headers)
    for canary in (SECRET, "canary", "Traceback", "psycopg", "SELECT", "INSERT", "reference_impl", "werkzeug"):
        assert canary not in text
    message: str = told["error"]["message"]
    assert message
    return message


# --- webhooks that are taken


@pytest.mark.parametrize("case", CASES)
def test_every_vector_is_taken_and_stored_as_what_it_means(world: World, case: str) -> None:
    """202; the sale, its amount, its time and its event id in one row; one outbox entry where it is to be sent."""
    gateway, dialect, _ = case.split("/")
    said = json.loads((VECTORS / f"{case}.json").read_text(encoding="utf-8"))
    meaning = said["meaning"]
    world.tenant("t2", secret=said["secret"], **{gateway: dialect})
    world.now_s = said["at_s"]
    answer = world.post(
        f"/api/v1/webhooks/{gateway}/t2",
        (VECTORS / f"{case}.body").read_bytes(),
        headers=said["headers"],
        query_string=said["query"],
    )
    status = "ignored" if meaning["kind"] == "ignored" else "accepted"
    assert (answer.status_code, answer.get_json()) == (202, {"status": status})
    registered = world.rows("SELECT tenant_id, gateway, sale_id, kind FROM dedupe_registry")
    assert registered == ([] if status == "ignored" else [("t2", gateway, meaning["sale_id"], meaning["kind"])])
    found = world.rows(
        "SELECT sale_id, amount::text, currency, product_id, extract(epoch FROM event_time)::bigint, state "
        "FROM conversions"
    )
    if meaning["kind"] != "purchase":
        assert found == []
        return
    paid_at_s = meaning["paid_at_s"] or said["at_s"]
    late = said["at_s"] - paid_at_s > 7 * DAY_S
    state = "suppressed" if not meaning["buyer"] else "expired" if late else "pending"
    wanted = tuple(meaning[key] for key in ("sale_id", "amount", "currency", "product_id"))
    assert found == [(*wanted, paid_at_s, state)]
    assert world.outbox() == (1 if state == "pending" else 0)
    stored = world.everything()
    for key, plain in meaning["buyer"].items():
        if key in ("email", "phone", "first_name", "last_name", "zip_code", "ip_address", "user_agent"):
            assert plain not in stored, key
    [(sealed, expires_s)] = world.rows(
        "SELECT client_sealed, extract(epoch FROM client_expires_at)::bigint FROM conversions"
    )
    client = {"ip": meaning["buyer"].get("ip_address"), "ua": meaning["buyer"].get("user_agent")}
    client = {name: value for name, value in client.items() if value} if state == "pending" else {}
    assert (json.loads(world.sealer.open(sealed) or "") if sealed else {}) == client
    assert expires_s == (said["at_s"] + 8 * DAY_S if client else None)
    assert said["secret"] not in stored


def test_the_second_delivery_is_a_duplicate(world: World) -> None:
    """202 both times, so that the vendor is content; one conversion, and the first one's amount."""
    assert world.deliver().get_json() == {"status": "accepted"}
    before = world.everything()
    assert world.deliver(amount=1).get_json() == {"status": "duplicate"}
    assert world.everything() == before


def test_of_many_deliveries_at_once_one_counts(world: World) -> None:
    """Eight at the same moment: one accepted, seven duplicates, one row, one outbox entry."""
    start = threading.Barrier(8)

    def deliver(_: int) -> str:
        start.wait(timeout=10)
        answer = world.deliver()
        assert answer.status_code == 202
        status: str = answer.get_json()["status"]
        return status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(deliver, range(8))) == ["accepted"] + ["duplicate"] * 7
    assert (world.conversions(), world.outbox()) == ([("HT1", "pending", None)], 1)


def test_what_is_not_yet_paid_does_not_swallow_what_is(world: World) -> None:
    """Pending and completed have the same id."""
    told = [world.deliver(status=status).get_json()["status"] for status in ("rejected", "approved")]
    assert (told, world.outbox()) == (["ignored", "accepted"], 1)


def test_a_sale_is_one_tenants_and_one_gateways(world: World) -> None:
    """The same id elsewhere is another sale, under another event id."""
    world.tenant("t2", hotmart="plan")
    world.tenant("t1", hotmart="plan", perfectpay="plan")
    renamed: dict[str, Any] = {"sale_code": "HT1", "sale_amount": 5, "approved_at": "2026-02-24T10:00:00Z"}
    answers = [
        world.deliver(),
        world.deliver(path="/api/v1/webhooks/hotmart/t2"),
        world.deliver(path="/api/v1/webhooks/perfectpay/t1", **renamed),
    ]
    assert [answer.get_json() for answer in answers] == [{"status": "accepted"}] * 3
    assert world.value("SELECT count(DISTINCT event_id) FROM conversions") == 3


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON; charset=utf-8", "application/x+json", None])
def test_json_by_any_of_its_names(world: World, kind: str | None) -> None:
    """A vendor that says nothing of the type is believed."""
    body = json.dumps(SALE).encode()
    answer = world.post(HOOK, body, content_type=kind, headers={"X-Signature": plan_signature(body)})
    assert answer.get_json() == {"status": "accepted"}


def test_a_payment_is_never_after_its_receipt(world: World) -> None:
    """Meta refuses the future (2804004); a gateway's clock may be ahead of ours."""
    world.deliver(event_time="2026-02-24T13:00:00Z")
    assert world.value("SELECT extract(epoch FROM event_time)::bigint FROM conversions") == NOW_S


def test_a_secret_is_read_once_and_again_when_it_is_old(world: World) -> None:
    """A rotation takes effect within the cache's time, during which both are good if the store has both."""
    world.deliver(order_id="1")
    world.deliver(order_id="2")
    assert world.store.reads == 1
    world.store.values["t1"]["hotmart"] = ["the-new-secret", SECRET]
    world.monotonic_s = 60
    assert [world.deliver(order_id="3", secret=one).status_code for one in ("the-new-secret", SECRET)] == [202, 202]
    assert world.store.reads == 2


# --- reversals and flags


@pytest.mark.parametrize(
    ("statuses", "conversions", "outbox"),
    [
        (("refunded", "approved"), [("HT1", "suppressed", "reversed before it came")], 0),
        (("approved", "refunded"), [("HT1", "suppressed", "refund")], 1),
        (("refunded",), [], 0),
    ],
    ids=["before", "after", "alone"],
)
def test_money_that_went_back_is_not_reported(
    world: World, statuses: tuple[str, ...], conversions: list[Any], outbox: int
) -> None:
    """A reversal that overtakes its purchase waits for it; one that follows stops what has not gone out."""
    assert [world.deliver(status=status).get_json() for status in statuses] == [{"status": "accepted"}] * len(statuses)
    assert (world.conversions(), world.outbox()) == (conversions, outbox)
    assert world.deliver(status="refunded").get_json() == {"status": "duplicate"}


@pytest.mark.parametrize("state", ["delivered", "dead_lettered", "expired"])
def test_a_reversal_leaves_what_is_over(world: World, state: str) -> None:
    """What Meta has counted is not taken back."""
    world.deliver()
    world.db.execute("UPDATE conversions SET state = %s", [state])
    world.deliver(status="refunded")
    assert world.conversions() == [("HT1", state, None)]


def test_a_reversal_leaves_other_sales(world: World) -> None:
    """Another sale, the same sale of another tenant."""
    world.tenant("t2", hotmart="plan")
    world.deliver(order_id="HT2")
    world.deliver(path="/api/v1/webhooks/hotmart/t2")
    world.deliver(status="refunded")
    assert [state for _, state, _ in world.conversions()] == ["pending", "pending"]


def test_a_partial_refund_leaves_the_purchase(world: World) -> None:
    """Only all of the money makes a sale undone (Stripe's charge.refunded with refunded: false)."""
    for case in ("payment_intent_succeeded", "charge_partly_refunded", "charge_refunded"):
        said = json.loads((VECTORS / f"stripe/vendor/{case}.json").read_text(encoding="utf-8"))
        body = (VECTORS / f"stripe/vendor/{case}.body").read_bytes()
        world.tenant("t2", secret=said["secret"], stripe="vendor")
        world.now_s = said["at_s"]
        answer = world.post("/api/v1/webhooks/stripe/t2", body, headers=said["headers"])
        assert answer.get_json() == {"status": "accepted"}
        [(_, state, _)] = world.conversions()
        assert state == ("suppressed" if case == "charge_refunded" else "pending")


def test_hold_stores_and_does_not_send(world: World) -> None:
    """202 and `held`; the identity is taken, so a second delivery is a duplicate."""
    world.flag("hold")
    assert [world.deliver().get_json()["status"] for _ in range(2)] == ["held", "duplicate"]
    assert (world.conversions(), world.outbox()) == ([("HT1", "held", "flag")], 0)


def test_off_refuses_and_keeps_nothing(world: World) -> None:
    """503: the vendor comes again; once it is on again the same delivery is taken."""
    world.flag("off")
    refused(world.deliver(), 503, "gateway_off")
    assert world.value("SELECT count(*) FROM dedupe_registry") == 0
    world.flag("on")
    assert world.deliver().get_json() == {"status": "accepted"}


def test_what_is_held_in_the_moment_of_the_switch_is_not_forgotten(world: World) -> None:
    """The webhook has read `hold`; the switch to `on` waits for it and releases what it wrote, or is seen by it."""
    world.flag("hold")
    with world.connect() as switch:
        switch.execute("BEGIN")
        switch.execute("UPDATE tenant_gateways SET flag = 'on' WHERE tenant_id = 't1'")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(world.deliver)
            world.eventually_waits_for_a_lock()
            switch.execute("COMMIT")
            assert answer.result().get_json() == {"status": "accepted"}
    assert (world.conversions(), world.outbox()) == ([("HT1", "pending", None)], 1)


def test_on_releases_what_was_held_and_nothing_else(world: World) -> None:
    """Of that gateway at that tenant, once neither its flag nor the gateway's own is in the way."""
    world.tenant("t2", hotmart="plan")
    doors.set_flag(world.db, tenant=None, gateway="hotmart", flag="hold")
    for tenant in ("t1", "t2"):
        assert world.deliver(path=f"/api/v1/webhooks/hotmart/{tenant}").get_json() == {"status": "held"}
    assert doors.set_flag(world.db, tenant="t1", gateway="hotmart", flag="on") == (1, 0)
    assert doors.set_flag(world.db, tenant="t2", gateway=None, flag="hold") == (1, 0)
    assert doors.set_flag(world.db, tenant=None, gateway="hotmart", flag="on") == (1, 1)
    assert world.rows("SELECT tenant_id, hold_reason FROM conversions ORDER BY 1") == [
        ("t1", "released"),
        ("t2", "flag"),
    ]
    assert doors.set_flag(world.db, tenant="t2", gateway="hotmart", flag="on") == (1, 1)
    assert doors.set_flag(world.db, tenant="t2", gateway="stripe", flag="on") == (0, 0)


def test_the_stricter_flag_decides(world: World) -> None:
    """A gateway as a whole and one tenant's use of it, changed without anybody being told."""
    for general, own, status in (("on", "off", 503), ("off", "on", 503), ("hold", "off", 503), ("hold", "on", 202)):
        doors.set_flag(world.db, tenant=None, gateway="hotmart", flag=general)
        doors.set_flag(world.db, tenant="t1", gateway="hotmart", flag=own)
        answer = world.deliver(order_id=f"{general}-{own}")
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == ("60" if status == 503 else None)


@pytest.mark.parametrize(
    ("hops", "peer", "forwarded", "status"),
    [
        (0, "203.0.113.9", None, 202),
        (0, "::ffff:203.0.113.9", None, 202),
        (0, "198.51.100.7", "203.0.113.9", 403),
        (1, "10.0.0.1", "203.0.113.9", 202),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.7", 403),
        (1, "203.0.113.9", None, 403),
        (2, "10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2", 202),
        (2, "10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", 403),
    ],
)
def test_only_from_allowed_addresses(world: World, hops: int, peer: str, forwarded: str | None, status: int) -> None:
    """By what our own proxies say, and not by what the caller says of itself; refused before the secret is read."""
    world.trusted_hops = hops
    world.app = world.app_over(world.database)
    doors.set_allowed(world.db, tenant=None, gateway="hotmart", allowed=["203.0.113.0/24"])
    body = json.dumps(SALE).encode()
    headers = {"X-Signature": plan_signature(body)} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    answer = world.post(HOOK, body, headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status
    if status == 403:
        refused(answer, 403, "address_not_allowed")
        assert world.store.reads == 0


def test_a_tenants_own_list_takes_the_place_of_the_gateways(world: World) -> None:
    """Or a tenant behind a relay of its own could only be let in by opening the gateway to everybody."""
    doors.set_allowed(world.db, tenant=None, gateway="hotmart", allowed=["203.0.113.0/24"])
    refused(world.deliver(), 403, "address_not_allowed")
    doors.set_allowed(world.db, tenant="t1", gateway="hotmart", allowed=["127.0.0.1/32"])
    assert world.deliver().status_code == 202
    doors.set_allowed(world.db, tenant="t1", gateway="hotmart", allowed=[])
    refused(world.deliver(order_id="2"), 403, "address_not_allowed")


@each_row(
    ("path", "headers", "status", "code"),
    [
        (f"{HOOK}/{'x' * 300}", {}, 414, "uri_too_long"),
        (f"{HOOK}?{'x' * 2001}", {}, 414, "uri_too_long"),
        (HOOK, {"X-Long": "x" * 17_000}, 431, "headers_too_large"),
        (HOOK, {f"X-{n}": "x" for n in range(101)}, 431, "headers_too_large"),
    ],
    shared=REFUSED,
)
def test_what_no_honest_sender_sends_is_refused_before_any_work(
    world: World, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """No body read, no query asked; and the connection, on which the body still stands, is closed."""
    world.database.close()  # whoever asked it would answer 503
    body = json.dumps(SALE).encode()
    answer = world.post(path, body, headers={"X-Signature": plan_signature(body), **headers})
    refused(answer, status, code)
    assert answer.headers["Connection"] == "close"


def test_a_content_type_is_a_header_too(world: World) -> None:
    """WSGI keeps it beside the others."""
    world.database.close()
    body = json.dumps(SALE).encode()
    signed = {"X-Signature": plan_signature(body)}
    answer = world.post(HOOK, body, headers=signed, content_type=f"application/json; x={'x' * 17_000}")
    refused(answer, 431, "headers_too_large")


@each_row("length", ["12abc", "-1", "+5", "1_0", "9" * 30], shared=REFUSED)
def test_a_length_that_is_none_is_refused(world: World, length: str) -> None:
    """Read as no length, its body would be the next request."""
    with nothing_stored(world):
        answer = world.post(HOOK, b"{}", environ_overrides={"CONTENT_LENGTH": length})
    refused(answer, 400, "malformed")


def test_a_brand_new_secret_is_taken_from_its_first_webhook_on(world: World) -> None:
    """Written past us, into Secrets Manager itself; and by our own command, which also ends the old one at once."""
    assert world.deliver(order_id="1").status_code == 202
    world.store.values["t1"]["hotmart"] = ["second-secret"]
    assert world.deliver(order_id="2", secret="second-secret").status_code == 202
    refused(world.deliver(order_id="3"), 401, "bad_signature")
    world.store.values["t1"]["hotmart"] = ["third-secret"]
    tenants.secrets_changed(world.db, "t1")
    refused(world.deliver(order_id="4", secret="second-secret"), 401, "bad_signature")
    assert world.deliver(order_id="4", secret="third-secret").status_code == 202


def test_forgeries_do_not_hammer_the_secret_store(world: World) -> None:
    """One look for all of them."""
    world.deliver()
    for _ in range(20):
        refused(world.deliver(secret="a-strangers-guess"), 401, "bad_signature")
    assert world.store.reads == 2


# --- what the logs say when it goes wrong


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all texts and numbers in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield path
    else:
        for key, one in inner:
            yield from leaves(one, (*path, key))


def planted(value: Any, path: tuple[Any, ...], plant: Any) -> Any:
    """A copy with something else at that path."""
    if not path:
        return plant
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = planted(value[path[0]], path[1:], plant)
    return copy


POISONS = ("a\x00b", "\ud800", "%s%n{0}", "\uffff\U0010ffff", "9" * 400, -1, 1e308, True, [], {"a": ["b"]}, "x" * 5000)


@pytest.mark.parametrize("case", [case for case in CASES if "/vendor/" in case and not case.startswith("stripe/")])
def test_whatever_stands_in_any_field_is_no_5xx_and_is_not_told(
    world: World, case: str, captured_logs: io.StringIO
) -> None:
    """Each text and number of every vendor's example, replaced by what parsers, encoders and databases choke on."""
    gateway, dialect, _ = case.split("/")
    said = json.loads((VECTORS / f"{case}.json").read_text(encoding="utf-8"))
    body = json.loads((VECTORS / f"{case}.body").read_bytes())
    world.tenant("t2", secret=said["secret"], **{gateway: dialect})
    world.now_s = said["at_s"]
    people = [value for key, value in said["meaning"].get("buyer", {}).items() if key != "country" and len(value) > 7]
    for path in leaves(body):
        for poison in POISONS:
            sent = json.dumps(planted(body, path, poison)).encode()
            headers, query = signed_again(gateway, said, sent)
            answer = world.post(f"/api/v1/webhooks/{gateway}/t2", sent, headers=headers, query_string=query)
            assert answer.status_code < 500, (path, poison)
            told = answer.get_data(as_text=True)
            assert not [one for one in people if one in told]
    logged = captured_logs.getvalue()
    assert logged, "the refusals are logged"
    assert not [one for one in people if one in logged]


def signed_again(gateway: str, said: dict[str, Any], body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The proof for a changed body; only Kiwify's vendor scheme depends on it."""
    if gateway != "kiwify":
        return said["headers"], said["query"]
    return said["headers"], {"signature": hmac.new(said["secret"].encode(), body, hashlib.sha1).hexdigest()}


@pytest.mark.parametrize(
    "trap",
    [
        "ALTER TABLE conversions ADD CONSTRAINT trap CHECK (user_data->'em' IS NULL)",
        "CREATE UNIQUE INDEX trap ON conversions ((1)) INCLUDE (user_data); INSERT INTO conversions (id, tenant_id, "
        "gateway, sale_id, kind, event_id, event_name, event_time, received_at, amount, currency, user_data, state) "
        "SELECT gen_random_uuid(), 't1', 'x', 'x', 'x', 'x', 'x', now(), now(), 0, 'x', '{}', 'held'",
        "ALTER TABLE conversions ALTER COLUMN product_id TYPE varchar(1)",
        "ALTER TABLE conversions RENAME COLUMN user_data TO gone",
        "ALTER TABLE matches RENAME TO gone; ALTER TABLE outbox RENAME TO gone_too",
        "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row %', NEW; END $$; "
        "CREATE TRIGGER trap BEFORE INSERT ON conversions FOR EACH ROW EXECUTE FUNCTION trap()",
    ],
)
def test_no_database_error_quotes_its_row(world: World, trap: str, captured_logs: io.StringIO) -> None:
    """PostgreSQL's own words hold the whole row (`Failing row contains (…)`), psycopg's exception repeats them."""
    for statement in [trap] if "$$" in trap else trap.split("; "):
        world.db.execute(statement.encode())
    answer = world.deliver()
    assert answer.status_code == 500
    hashes = [sha256("ana@canary.example"), sha256("5511987654321")]
    told = captured_logs.getvalue() + answer.get_data(as_text=True)
    assert "unforeseen" in told
    assert not [one for one in (*hashes, "canary", "11987654321", "HT1") if one in told], told


# --- one person, shown and erased


def person(tenant: str = "t1", **plain: str) -> people.Person:
    keys = hash_buyer(Buyer(email=plain.get("email"), phone=plain.get("phone"), country="BR"))
    return people.Person(tenant=tenant, em=keys.em, ph=keys.ph)


ANA = {"email": "ana@canary.example", "phone": "+5511987654321"}
BOB = {"email": "bob@canary.example", "phone": "+5521912345678"}


def test_a_person_is_erased_and_the_sale_is_still_known(world: World) -> None:
    """Of every table and in every state; the registry's row stays, with nothing of the buyer, and so does Bob."""
    for number, state in enumerate(
        ("pending", "queued", "held", "delivered", "dead_lettered", "expired", "suppressed")
    ):
        world.deliver(order_id=f"A{number}")
        world.db.execute("UPDATE conversions SET state = %s WHERE sale_id = %s", [state, f"A{number}"])
    world.deliver(order_id="B", customer=BOB)
    before_bob = world.rows("SELECT c::text FROM conversions c WHERE sale_id = 'B'")
    done = people.erase(world.db, person(**ANA))
    assert (done["conversions"], done["suppressed"], done["in_flight"], done["outbox"]) == (7, 4, 0, 7)
    states = dict(world.rows("SELECT sale_id, state FROM conversions"))
    assert [states[f"A{number}"] for number in range(7)] == [
        "suppressed", "suppressed", "suppressed", "delivered", "suppressed", "expired", "suppressed",
    ]  # fmt: skip
    stored = world.everything()
    assert sha256(ANA["email"]) not in stored
    assert sha256("5511987654321") not in stored
    assert world.rows("SELECT c::text FROM conversions c WHERE sale_id = 'B'") == before_bob
    assert world.deliver(order_id="A0").get_json() == {"status": "duplicate"}
    assert not any(people.erase(world.db, person(**ANA)).values())
    assert world.everything() == stored


def test_what_is_being_sent_is_counted_and_not_sent_again(world: World) -> None:
    """The consumer has it in memory: it may say that Meta has it, and cannot put it back."""
    world.deliver()
    [(one,)] = world.rows("SELECT id FROM conversions")
    [claimed] = store.claim(world.db, [one], lease_s=60)
    assert people.erase(world.db, person(email=ANA["email"]))["in_flight"] == 1
    store.hold(world.db, [claimed], reason="retry", waits_s=[0.0])
    assert world.conversions() == [("HT1", "suppressed", "erased")]
    assert store.claim(world.db, [one], lease_s=60) == []
    outcome = Outcome(kind=Kind.SENT, reason="all", status=200)
    store.deliver(world.db, [claimed], store.Call(batch_id=uuid.uuid4(), outcome=outcome, duration_ms=1))
    assert world.value("SELECT state FROM conversions") == "delivered"
    assert sha256(ANA["email"]) not in world.everything()


def test_devices_are_shared_and_people_are_not(world: World) -> None:
    """A click that somebody else left their hash on is theirs; one without any belongs to the browser's buyer."""
    fbp = "fb.1.1771920000000.123"
    world.now_s -= 3600
    world.track("click", {"click_id": "ana", "fbp": fbp})
    world.track("click", {"click_id": "again", "fbp": fbp})
    world.track("click", {"click_id": "bob", "fbp": fbp})
    world.track("checkout", {"click_id": "bob", "email": BOB["email"]})
    world.track("pageview", {"click_id": "again"})
    world.now_s += 3600
    world.deliver(tracking={"click_id": "ana"})
    shown = people.export(world.db, person(**ANA))
    assert {name: len(rows) for name, rows in shown.items()} == {
        "conversions": 1, "matches": 1, "dispatch_attempts": 0, "clicks": 2, "visits": 1,
    }  # fmt: skip
    done = people.erase(world.db, person(**ANA))
    assert (done["clicks"], done["conversions"], done["matches"]) == (2, 2, 1)
    assert world.rows("SELECT click_id FROM clicks") == [("bob",)]
    assert world.rows("SELECT click_id FROM conversions WHERE user_data <> '{}'") == [("bob",)]


def test_a_person_is_known_at_each_tenant_apart(world: World) -> None:
    """What one tenant's operator may see and do ends at the tenant."""
    world.tenant("t2", hotmart="plan")
    world.deliver()
    world.deliver(path="/api/v1/webhooks/hotmart/t2")
    people.erase(world.db, person("t2", **ANA))
    assert world.rows("SELECT tenant_id FROM conversions WHERE user_data <> '{}'") == [("t1",)]
    assert not any(people.export(world.db, person("t2", **ANA)).values())
    assert len(people.export(world.db, person("t1", phone=ANA["phone"]))["conversions"]) == 1


def test_nobody_is_nobody(world: World) -> None:
    """Who left an e-mail and no phone is not found by the absence of a phone."""
    world.deliver(customer={"email": ANA["email"], "phone": None})
    assert not any(people.erase(world.db, person(phone=BOB["phone"])).values())
    assert not any(people.erase(world.db, people.Person(tenant="t1", em=None, ph=None)).values())


# --- the migration


def test_plain_addresses_of_the_version_before_are_dropped(world: World) -> None:
    """Up and down and up again; what else is known of the buyer stays."""
    world.deliver()
    migrate(world.url, "-2")  # to before 0003
    world.db.execute("""UPDATE conversions SET user_data = user_data || '{"client_ip_address": "203.0.113.9"}'""")
    migrate(world.url)
    assert "203.0.113.9" not in world.everything()
    assert world.value("SELECT user_data->'em'->>0 FROM conversions") == sha256(ANA["email"])


# --- what becomes of it


def test_who_cannot_be_matched_is_suppressed(world: World) -> None:
    """No key at all, so that Meta does not refuse the whole batch."""
    world.deliver(customer={"email": "", "phone": None})
    assert (world.conversions(), world.outbox()) == ([("HT1", "suppressed", "no match keys")], 0)


# --- webhooks that are refused


@contextmanager
def nothing_stored(world: World) -> Iterator[None]:
    before = world.everything()
    yield
    assert world.everything() == before


GOOD = json.dumps(SALE).encode()


@each_row(
    ("path", "status", "code"),
    [
        ("/api/v1/webhooks/paypal/t1", 404, "unknown_gateway"),
        ("/api/v1/webhooks/_json/t1", 404, "unknown_gateway"),
        ("/api/v1/webhooks/hotmart/nobody", 404, "unknown_tenant"),
        ("/api/v1/webhooks/hotmart/t1%00", 404, "not_found"),
        ("/api/v1/webhooks/hotmart/%FF", 404, "unknown_tenant"),
        ("/api/v1/webhooks/stripe/t1", 404, "unknown_tenant"),
        ("/api/v1/webhooks/hotmart", 404, "not_found"),
        ("/api/v1/webhooks/hotmart/t1/canary", 404, "not_found"),
        ("/canary", 404, "not_found"),
        ("/", 404, "not_found"),
    ],
    shared=REFUSED,
)
def test_where_nobody_lives(world: World, path: str, status: int, code: str) -> None:
    """404, which tells an unknown tenant and a gateway that it does not use by the same words."""
    with nothing_stored(world):
        refused(world.deliver(GOOD, path=path), status, code)


@each_row("method", ["GET", "PUT", "DELETE", "PATCH"], shared=REFUSED)
def test_other_methods(world: World, method: str) -> None:
    """405, and which ones there are."""
    answer = world.app.test_client().open(HOOK, method=method)
    refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@each_row(
    ("signature", "why"),
    [
        (None, "missing"),
        ("", "missing"),
        (plan_signature(GOOD, "another-secret"), "match"),
        (plan_signature(GOOD + b" "), "match"),
        (plan_signature(GOOD).upper(), "sha256="),
        (plan_signature(GOOD)[:-2], "match"),
        (plan_signature(GOOD).replace("sha256", "sha1"), "sha256="),
        (plan_signature(GOOD).removeprefix("sha256="), "sha256="),
        ("sha256=", "sha256="),
        ("sha256=é", "match"),
    ],
    shared=REFUSED,
)
def test_an_unproved_sender(world: World, signature: str | None, why: str) -> None:
    """401 with the reason, and nothing of what would have been right."""
    headers = {} if signature is None else {"X-Signature": signature}
    with nothing_stored(world):
        message = refused(world.post(HOOK, GOOD, headers=headers), 401, "bad_signature")
    assert why in message
    assert plan_signature(GOOD)[7:] not in message


@pytest.mark.parametrize("values", [{}, {"hotmart": []}, {"hotmart": [""]}])
def test_without_a_secret_nobody_is_proved(world: World, values: dict[str, list[str]]) -> None:
    """Not even who signs with the empty one."""
    world.store.values["t1"] = values
    with nothing_stored(world):
        refused(world.deliver(secret=""), 401, "bad_signature")


MALFORMED = [
    b"",
    b"{",
    b"canary",
    b"[]",
    b'{"a":1,"a":2}',
    b'{"a":NaN}',
    b'{"canary":"\xff"}',
    b'{"a":1e%s}' % (b"9" * 25),
]
UNFIT = [
    {"amount": "canary"}, {"amount": None}, {"amount": -1}, {"currency": "R$"}, {"order_id": ""},
    {"order_id": "a\x00b"}, {"status": None}, {"event_time": "canary"}, {"event_time": {"canary": 1}},
    {"product_id": "\ud800"}, {"customer": {"email": "canary\x00"}},
]  # fmt: skip


@each_row("body", MALFORMED, shared=REFUSED)
def test_a_genuine_body_that_cannot_be_read(world: World, body: bytes) -> None:
    """400; but 401 where the signature is wrong too: a stranger learns nothing of our parser."""
    with nothing_stored(world):
        refused(world.deliver(body), 400, "malformed")
        refused(world.deliver(body, secret="another-secret"), 401, "bad_signature")


@each_row("fields", UNFIT, shared=REFUSED)
def test_a_genuine_body_that_does_not_fit(world: World, fields: dict[str, Any]) -> None:
    """422, which names the field; but 401 where the signature is wrong too."""
    with nothing_stored(world):
        assert next(iter(fields)) in refused(world.deliver(**fields), 422, "schema")
        refused(world.deliver(**fields, secret="another-secret"), 401, "bad_signature")


@each_row(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"], shared=REFUSED
)
def test_what_does_not_call_itself_json(world: World, kind: str) -> None:
    """415, though it be rightly signed; the rest of the body is not taken for the next request."""
    with nothing_stored(world):
        answer = world.post(HOOK, GOOD, content_type=kind, headers={"X-Signature": plan_signature(GOOD)})
        refused(answer, 415, "unsupported_media_type")
    assert answer.headers["Connection"] == "close"


def padded(size: int) -> bytes:
    body = json.dumps(SALE | {"pad": ""}).encode()
    return body[:-2] + b"x" * (size - len(body)) + body[-2:]


@pytest.mark.parametrize("path", [HOOK, "/api/v1/tracking/t1/click"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("over", [0, 1])
def test_the_largest_body(world: World, path: str, chunked: bool, over: int) -> None:
    """20,000 bytes are read, one more is 413, whether the sender says so before or not."""
    body = padded(MAX_BODY + over)
    assert len(body) == MAX_BODY + over
    headers = {"X-Signature": plan_signature(body)}
    if chunked:
        answer = world.app.test_client().post(
            path,
            input_stream=io.BytesIO(body),
            content_type="application/json",
            headers={**headers, "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
    else:
        answer = world.post(path, body, headers=headers)
    if not over:
        assert answer.status_code == 202
        return
    refused(answer, 413, "too_large")
    assert answer.headers["Connection"] == "close"


# --- when something of ours is broken


def client_error() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "canary"}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (client_error(), 503, "unavailable"),
        (EndpointConnectionError(endpoint_url="http://canary"), 503, "unavailable"),
        (psycopg.OperationalError("canary"), 503, "unavailable"),
        (psycopg.errors.ReadOnlySqlTransaction("canary"), 503, "unavailable"),
        (RuntimeError("canary"), 500, "internal"),
    ],
    ids=["secrets say no", "secrets away", "database away", "database read-only", "unforeseen"],
)
def test_our_own_trouble_is_told_in_general(world: World, error: Exception, status: int, code: str) -> None:
    """So that the vendor comes again; no text of the error comes out, and nothing is stored."""
    world.store.error = error
    with nothing_stored(world):
        answer = world.deliver()
        refused(answer, status, code)
    assert ("Retry-After" in answer.headers) is (status == 503)
    world.store.error = None
    assert world.deliver().get_json() == {"status": "accepted"}


def test_a_pool_without_a_database(world: World) -> None:
    """503 from every route that needs it, and `live` still lives."""
    database = Database(world.url.replace(world.name, "no_such_database"), size=1)
    database.close()
    world.app = world.app_over(database)
    refused(world.deliver(), 503, "unavailable")
    refused(world.track("click", {}), 503, "unavailable")
    client = world.app.test_client()
    assert (client.get("/health/live").status_code, client.get("/health/ready").status_code) == (200, 503)


def test_a_database_that_is_back_is_noticed_at_once(world: World) -> None:
    """However long it was away: the pool's own pauses would have grown to minutes."""
    name = f"{world.name}_late"
    database = Database(world.url.replace(world.name, name), size=2, wait_s=0.4)
    try:
        for _ in range(4):
            with pytest.raises(PoolTimeout), database.connection():
                pass
        world.db.execute(f"CREATE DATABASE {name}")
        with database.connection() as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (name,)
    finally:
        database.close()


def test_a_sale_outlives_its_dedupe_row(world: World) -> None:
    """Told again when the row is gone by its age, it is a duplicate still, and nothing of it is sent again."""
    assert world.deliver().get_json() == {"status": "accepted"}
    world.db.execute("DELETE FROM dedupe_registry")
    assert world.deliver().get_json() == {"status": "duplicate"}
    assert world.db.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_all_or_nothing(world: World) -> None:
    """Where the last step fails, the first has not happened: the next delivery is no duplicate."""
    world.db.execute("ALTER TABLE outbox RENAME TO outbox_away")
    with nothing_stored(world):
        refused(world.deliver(), 500, "internal")
    world.db.execute("ALTER TABLE outbox_away RENAME TO outbox")
    assert world.deliver().get_json() == {"status": "accepted"}


# --- tracking

ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
}


def allows_any_origin(answer: TestResponse) -> bool:
    """And no cookies: `*` with credentials would be refused by every browser."""
    given = {name: answer.headers.get(name) for name in ANY_ORIGIN}
    return given == ANY_ORIGIN and "Access-Control-Allow-Credentials" not in answer.headers


@each_row("kind", ["click", "pageview", "checkout"])
@each_row("tenant", ["t1", "nobody"], shared=REFUSED)
def test_a_preflight(world: World, kind: str, tenant: str) -> None:
    """From any origin, without asking the database whether there is such a tenant."""
    answer = world.app.test_client().options(
        f"/api/v1/tracking/{tenant}/{kind}",
        headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"},
    )
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert allows_any_origin(answer)


def test_a_click_gets_a_short_id_of_its_own(world: World) -> None:
    """At most 32 characters, so that it survives the checkouts; never the same twice."""
    answers = [world.track("click", {"url": "https://shop.example/"}) for _ in range(2)]
    ids = {answer.get_json()["click_id"] for answer in answers}
    assert [answer.status_code for answer in answers] == [202, 202]
    assert all(map(allows_any_origin, answers))
    assert len(ids) == 2
    assert all(8 <= len(one) <= 32 for one in ids)
    assert {row[0] for row in world.rows("SELECT click_id FROM clicks")} == ids


def test_a_click_is_remembered_once_as_it_was(world: World) -> None:
    """The same id again changes nothing, and unknown fields are no error."""
    told = {
        "click_id": "c-1", "url": "https://shop.example/é", "fbclid": "IwAR0aBc", "fbp": "fb.1.1771926000000.1",
        "utm_source": "meta", "consent": "granted", "from_a_newer_script": [1],
    }  # fmt: skip
    assert world.track("click", told).get_json()["click_id"] == "c-1"
    assert world.track("click", told | {"fbclid": "another"}).get_json()["click_id"] == "c-1"
    found = world.rows("SELECT click_id, url, fbclid, fbp, consent, campaign FROM clicks")
    assert found == [("c-1", told["url"], "IwAR0aBc", "fb.1.1771926000000.1", "granted", {"utm_source": "meta"})]


def test_who_denies_consent_leaves_an_id_and_nothing_else(world: World) -> None:
    """Not at the click, and not at the checkout either."""
    told = {"click_id": "c-1", "url": "u-canary", "fbclid": "canary", "fbp": "fb.1.1.canary", "utm_source": "canary"}
    world.track("click", told | {"consent": "denied"})
    world.track("checkout", {"click_id": "c-1", "email": "ana@canary.example", "phone": "+5511987654321"})
    assert "canary" not in world.everything()
    assert world.rows("SELECT em, ph, consent FROM clicks") == [(None, None, "denied")]


@pytest.mark.parametrize("kind", ["pageview", "checkout"])
def test_a_page_is_counted_once_for_each_event_id(world: World, kind: str) -> None:
    """The browser's own id, or one of ours."""
    assert world.track(kind, {"event_id": "e-1"}).get_json() == {"event_id": "e-1"}
    world.track(kind, {"event_id": "e-1"})
    made_up = world.track(kind, {}).get_json()["event_id"]
    assert sorted(world.rows("SELECT event_id, kind FROM conversions")) == sorted([("e-1", kind), (made_up, kind)])


def test_what_a_checkout_tells_is_hashed_at_once(world: World) -> None:
    """By the rules by which the purchase will be; what is not told again is kept."""
    world.track("click", {"click_id": "c-1"})
    world.track("checkout", {"click_id": "c-1", "email": " Ana@Canary.example", "phone": "(11) 98765-4321"})
    world.track("checkout", {"click_id": "c-1", "email": "bia@canary.example"})
    assert world.rows("SELECT em, ph FROM clicks") == [(sha256("bia@canary.example"), sha256("5511987654321"))]
    assert "canary" not in world.everything().lower()


@each_row(
    ("told", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{canary", 400, "malformed"),
        (b'{"email":"\xff"}', 400, "malformed"),
        (b"[" * 10_000, 400, "malformed"),
        (b"[]", 422, "schema"),
        (b'"canary"', 422, "schema"),
        (b'{"click_id":"canary canary"}', 422, "schema"),
        (b'{"click_id":"%s"}' % (b"x" * 33), 422, "schema"),
        (b'{"click_id":7}', 422, "schema"),
        (b'{"fbclid":"canary\\n"}', 422, "schema"),
        (b'{"fbp":"canary"}', 422, "schema"),
        (b'{"consent":"canary"}', 422, "schema"),
        (b'{"url":"%s"}' % (b"x" * 2001), 422, "schema"),
        (b'{"event_id":"canary\\u0000"}', 422, "schema"),
        (b'{"url":"canary\\u0000"}', 422, "schema"),
        (b'{"utm_source":"canary\\u0000"}', 422, "schema"),
        (b'{"email":"\\ud800"}', 400, "malformed"),
    ],
)
@each_row("kind", ["click", "checkout"], shared=REFUSED)
def test_what_a_browser_should_not_say(world: World, kind: str, told: bytes, status: int, code: str) -> None:
    """400 or 422, nothing stored, and the page may read why."""
    with nothing_stored(world):
        answer = world.post(f"/api/v1/tracking/t1/{kind}", told)
        refused(answer, status, code)
    assert allows_any_origin(answer)


@each_row(
    ("method", "path", "status", "code"),
    [
        ("POST", "/api/v1/tracking/nobody/click", 404, "unknown_tenant"),
        ("POST", "/api/v1/tracking/t1%00/click", 404, "not_found"),
        ("POST", "/api/v1/tracking/t1/purchase", 404, "not_found"),
        ("GET", "/api/v1/tracking/t1/click", 405, "method_not_allowed"),
    ],
    shared=REFUSED,
)
def test_tracking_where_nobody_lives(world: World, method: str, path: str, status: int, code: str) -> None:
    """Refused as anywhere else."""
    with nothing_stored(world):
        refused(world.app.test_client().open(path, method=method, data=b"{}"), status, code)


def visit(world: World, *, ago_s: int, **told: Any) -> None:
    """A click so long before the payment; e-mail and phone are left at the checkout."""
    world.now_s = NOW_S - 5 - ago_s
    contact: dict[str, str] = {key: told.pop(key) for key in ("email", "phone") if key in told}
    world.track("click", told)
    world.track("checkout", {"click_id": told["click_id"], **contact})
    world.now_s = NOW_S


FBCLID = "IwAR0aBcDeFgHiJkLmNoPqRs"


@pytest.mark.parametrize(
    ("left", "carried", "method"),
    [
        ({}, {"click_id": "c-1"}, "click_id"),
        ({"fbclid": FBCLID}, {"fbclid": FBCLID}, "fbclid"),
        ({"email": "ANA@canary.example"}, {}, "email"),
        ({"phone": "11 98765-4321"}, {}, "phone"),
        ({"email": "bia@canary.example"}, {"click_id": "c-2"}, None),
        ({"fbclid": FBCLID}, {"fbclid": FBCLID.lower()}, None),
    ],
)
def test_a_purchase_finds_its_click(
    world: World, left: dict[str, str], carried: dict[str, str], method: str | None
) -> None:
    """By the id that the checkout carried, or by what the visitor left there; unmatched, it is sent all the same."""
    visit(world, ago_s=3600, click_id="c-1", **left)
    assert world.deliver(tracking=carried).get_json() == {"status": "accepted"}
    assert world.rows("SELECT click_id, method FROM matches") == ([("c-1", method)] if method else [])
    assert world.outbox() == 1
    fbc = world.value("SELECT user_data->>'fbc' FROM conversions WHERE kind = 'purchase'")
    clicked_at_ms = (NOW_S - 5 - 3600) * 1000
    assert fbc == (f"fb.1.{clicked_at_ms}.{FBCLID}" if method == "fbclid" else None)


@pytest.mark.parametrize(
    ("ago_s", "consent", "state"),
    [(60, "denied", "suppressed"), (30 * DAY_S, "denied", "suppressed"), (60, "unknown", "pending")],
)
def test_a_refusal_has_no_window(world: World, ago_s: int, consent: str, state: str) -> None:
    """Who named a click on which they refused is not reported, however long ago; saying nothing is no refusal."""
    visit(world, ago_s=ago_s, click_id="c-1", consent=consent)
    world.deliver(tracking={"click_id": "c-1"})
    assert world.conversions() == [("HT1", state, "consent denied" if state == "suppressed" else None)]


def test_another_tenants_click_is_nobodys(world: World) -> None:
    """The same visitor at another shop says nothing about this one."""
    world.tenant("t2", hotmart="plan")
    visit(world, ago_s=60, click_id="c-1", email="ana@canary.example")
    world.deliver(path="/api/v1/webhooks/hotmart/t2", tracking={"click_id": "c-1"})
    assert world.rows("SELECT * FROM matches") == []


# --- health and schema


def test_ready_once_database_and_queue_are(world: World) -> None:
    """200; else 503 and the reason in words."""
    client = world.app.test_client()
    assert (client.get("/health/live").get_json(), client.get("/health/ready").get_json()) == (
        {"status": "live"},
        {"status": "ready"},
    )
    world.queue_complaint = "no queue"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "not ready", "reason": "no queue"})


@pytest.mark.parametrize(
    ("version", "ready"), [("0000", False), (newest_revision(), True), ("9999", True), (None, False)]
)
def test_an_older_schema_is_not_ready_and_a_newer_one_is(world: World, version: str | None, ready: bool) -> None:
    """Two versions run side by side during a deployment."""
    world.db.execute("DELETE FROM alembic_version")
    if version:
        world.db.execute("INSERT INTO alembic_version VALUES (%s)", [version])
    assert (world.app.test_client().get("/health/ready").status_code == 200) is ready


_SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


def schema(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(_SCHEMA).fetchall()


def test_migrations_go_up_down_and_up_again(postgres: Any) -> None:
    """Down leaves nothing but Alembic's own table; up again gives the very same schema; up twice changes nothing."""
    url = postgres.new(empty=True)
    migrate(url)
    first = schema(url)
    tables = {row[0] for row in first}
    assert {"tenants", "conversions", "outbox", "dedupe_registry", "alembic_version"} <= tables
    migrate(url)
    assert schema(url) == first
    migrate(url, "base")
    assert {row[0] for row in schema(url)} == {"alembic_version"}
    migrate(url)
    assert schema(url) == first
    migrate(url, "-1")
    migrate(url, "head")
    assert schema(url) == first
    assert head() == newest_revision()


def test_a_database_without_a_schema_is_not_ready(postgres: Any, world: World) -> None:
    """And says which command is missing."""
    bare = Database(postgres.new(empty=True), size=1)
    try:
        answer = world.app_over(bare).test_client().get("/health/ready")
    finally:
        bare.close()
    assert answer.status_code == 503
    assert "migrate" in answer.get_json()["reason"]


def test_two_migrations_at_once_do_not_trip_over_each_other(postgres: Any) -> None:
    """Two replicas that start together."""
    url = postgres.new(empty=True)
    start = threading.Barrier(2)

    def up(_: int) -> None:
        start.wait(timeout=10)
        migrate(url)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(up, range(2)))
    assert {row[0] for row in schema(url)} >= {"tenants", "conversions"}


def test_connections_that_the_server_has_ended_are_not_used(world: World) -> None:
    """After a restart of the database, or a fail-over, no webhook pays for the connections of before."""
    with ThreadPoolExecutor(8) as pool:  # as many connections as the pool holds
        assert {answer.status_code for answer in pool.map(lambda _: world.deliver(), range(16))} == {202}
    world.db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        [world.name],
    )
    assert [world.deliver(order_id=f"HT{number}").status_code for number in range(2, 14)] == [202] * 12


# --- several at once, and what is remembered of an account


def eventually(fact: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline, otherwise


def sale_of(world: World, sale_id: str, **fields: Any) -> Sale:
    """A purchase of tenant t1 on its way to the database, by another id."""
    meaning = adapter("hotmart").read(json.dumps(SALE).encode(), dialect="plan")
    assert isinstance(meaning, Purchase)
    purchase = replace(meaning, sale_id=sale_id)
    draft = Draft(
        id=uuid4(), purchase=purchase, user_data={"em": [f"em of {sale_id}"]}, client=None, hold=False, window_s=DAY_S
    )
    return Sale(arrived=Arrived(tenant="t1", gateway="hotmart", at_s=world.now_s), draft=draft, **fields)


def test_sales_that_are_written_together_stay_apart(world: World) -> None:
    """Each has its own row, match and outbox entry; a twin among them and a sale known before are duplicates."""
    at = datetime.fromtimestamp(NOW_S - 60, UTC)
    for name in ("a", "b"):
        click = "INSERT INTO clicks (tenant_id, click_id, clicked_at, em) VALUES ('t1', %s, %s, %s)"
        world.db.execute(click, [f"click of {name}", at, f"em of {name}"])
    assert conversions.record_purchases(world.db, [sale_of(world, "old")]) == ["accepted"]
    sales = [sale_of(world, name) for name in ("b", "a", "b", "old", "c")]
    said = conversions.record_purchases(world.db, sales)
    assert said == ["accepted", "accepted", "duplicate", "duplicate", "accepted"]
    told = world.rows(
        "SELECT c.sale_id, c.id, c.user_data->'em'->>0, m.click_id FROM conversions c "
        "LEFT JOIN matches m ON m.conversion_id = c.id ORDER BY 1"
    )
    assert [(one[0], *one[2:]) for one in told] == [
        ("a", "em of a", "click of a"),
        ("b", "em of b", "click of b"),
        ("c", "em of c", None),
        ("old", "em of old", None),
    ]
    assert {one[1] for one in told if one[0] != "old"} == {sales[number].draft.id for number in (0, 1, 4)}
    assert world.outbox() == 4


def test_one_bad_sale_undoes_its_whole_group(world: World) -> None:
    """What group_commit.py goes by: everything, or nothing and an error."""
    with pytest.raises(psycopg.Error):
        conversions.record_purchases(
            world.db, [sale_of(world, "good"), sale_of(world, "what\0PostgreSQL cannot store")]
        )
    assert (world.conversions(), world.outbox()) == ([], 0)


def test_twins_in_two_processes_are_written_once(world: World) -> None:
    """Both have looked before either has written: the registry decides, and the second says so."""
    with world.connect() as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            assert conversions.record_purchases(other, [sale_of(world, "twin")]) == ["accepted"]
            second = pool.submit(conversions.record_purchases, world.db, [sale_of(world, "a"), sale_of(world, "twin")])
            with world.connect() as third:
                waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
                eventually(lambda: third.execute(waits, [world.name]).fetchone() != (0,), "nobody waits for a lock")
        assert second.result(10) == ["accepted", "duplicate"]
    assert (len(world.conversions()), world.outbox()) == (2, 2)


def test_who_is_believed_by_an_outdated_account_is_not_written(world: World) -> None:
    known = tenants.account(world.db, "t1", "hotmart")
    assert known is not None
    world.flag("hold")
    sales = [sale_of(world, "old", believed=known), sale_of(world, "new", believed=replace(known, flag="hold"))]
    assert conversions.record_purchases(world.db, sales) == ["outdated", "accepted"]
    assert [one[0] for one in world.conversions()] == ["new"]


@pytest.mark.parametrize("status", ["approved", "pending", "refunded"])
def test_what_is_changed_holds_for_the_next_webhook(world: World, status: str) -> None:
    """The process remembers the account from before: flag, addresses, secrets and the tenant itself."""
    assert world.deliver(order_id="first").status_code == 202
    world.flag("off")
    refused(world.deliver(status=status), 503, "gateway_off")
    world.flag("on")
    world.db.execute("UPDATE tenant_gateways SET allowed = '{192.0.2.0/24}'")
    refused(world.deliver(status=status), 403, "address_not_allowed")
    world.db.execute("UPDATE tenant_gateways SET allowed = '{}'")
    world.store.values["t1"] = {"hotmart": ["another secret"]}
    tenants.secrets_changed(world.db, "t1")
    refused(world.deliver(status=status), 401, "bad_signature")
    assert world.deliver(status=status, secret="another secret").status_code == 202
    world.db.execute("DELETE FROM tenant_gateways")
    refused(world.deliver(status=status, secret="another secret"), 404, "unknown_tenant")
