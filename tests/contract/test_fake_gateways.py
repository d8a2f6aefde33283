"""What holds for every fake gateway, in every dialect, for every event; and the official Stripe SDK as judge."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import typing
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import stripe
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.gateways import FakeGateway, UnknownName, Webhook, gateway, known, webhook
from simulators.gateways._tamper import Signing, expected, tamper
from simulators.people import Order, order
from tests.rows import each_row

NOW_S = 1_772_366_400
URL = "http://127.0.0.1:8080/api/v1/webhooks/x/t-1"
TRACKING = {"click_id": "c-9f2c", "fbclid": "IwAR0aBcD", "fbp": "fb.1.1772366400.123", "utm_source": "meta"}
SPOKEN = [(name, dialect) for name, fake in sorted(known().items()) for dialect in fake.dialects]
SAID = [(name, dialect, event) for name, dialect in SPOKEN for event in sorted(gateway(name).events(dialect))]
SALES = [
    (name, dialect, event)
    for name, dialect, event in SAID
    if gateway(name).events(dialect)[event].outcome == "purchase"
]

every_dialect = each_row(("name", "dialect"), SPOKEN)
every_event = each_row(("name", "dialect", "event"), SAID)


def say(name: str, dialect: str, event: str, sale: Order, *, now_s: int = NOW_S, url: str = URL) -> Webhook:
    fake = gateway(name)
    return webhook(fake, sale, event, dialect=dialect, secret=fake.new_secret("s"), url=url, now_s=now_s)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def amount_in(body: Mapping[str, Any], name: str, dialect: str) -> Decimal:
    """The amount where the vendor's own documentation has it, in major units of BRL."""
    if dialect == "plan":
        return Decimal(body[{"hotmart": "amount", "kiwify": "value", "perfectpay": "sale_amount"}[name]])
    match name:
        case "hotmart":
            return Decimal(body["data"]["purchase"]["price"]["value"])
        case "kiwify":
            assert isinstance(body["Commissions"]["charge_amount"], int)
            return Decimal(body["Commissions"]["charge_amount"]) / 100
        case "perfectpay":
            return Decimal(body["sale_amount"])
        case "stripe":
            assert isinstance(body["data"]["object"]["amount_received"], int)
            return Decimal(body["data"]["object"]["amount_received"]) / 100
    # A gateway that nobody has listed here: the number that stands there most often (test_gateway_halves reads it).
    numbers = Counter(Decimal(one) for one in leaves(body) if isinstance(one, int | Decimal) and one != 1)
    return numbers.most_common(1)[0][0] if numbers else Decimal(1)


def test_the_four_gateways_are_there() -> None:
    """The plan's four gateways each have a fake; Stripe speaks one dialect, the others two."""
    assert {name: set(fake.dialects) for name, fake in known().items()}.items() >= {
        "hotmart": {"plan", "vendor"},
        "kiwify": {"plan", "vendor"},
        "perfectpay": {"plan", "vendor"},
        "stripe": {"vendor"},
    }.items()


@every_dialect
def test_every_dialect_tells_a_sale(name: str, dialect: str) -> None:
    """`approved` is a purchase everywhere, at least one event is not, and what is missing is said."""
    events = gateway(name).events(dialect)
    assert events["approved"].outcome == "purchase"
    assert any(event.outcome != "purchase" for event in events.values())
    assert all(key == event.name for key, event in events.items())
    assert gateway(name).does_not_imitate


@each_row("name", sorted(known()))
def test_vendor_dialects_tell_what_becomes_of_a_sale(name: str) -> None:
    """Pending, refused, abandoned are ignored; refunded and chargeback reverse."""
    outcomes = {event: told.outcome for event, told in gateway(name).events("vendor").items()}
    assert [outcomes[event] for event in ("pending", "refused", "abandoned")] == ["ignored"] * 3
    assert [outcomes[event] for event in ("refunded", "chargeback")] == ["reversal"] * 2


@every_event
def test_every_event_is_a_json_object_with_the_buyer_or_the_sale_in_it(name: str, dialect: str, event: str) -> None:
    """UTF-8, one object, no NaN; it can be told whose it is."""
    sale = order("7/contract/1", now_s=NOW_S, tracking=TRACKING)
    body = json.loads(say(name, dialect, event, sale).body.decode(), parse_constant=pytest.fail)
    assert isinstance(body, dict)
    ours = {sale.buyer.email, gateway(name).sale_id(sale)}
    if name == "stripe":  # a subscription names its latest invoice, and nobody
        ours.add(json.loads(say(name, dialect, "invoice_paid", sale).body)["data"]["object"]["id"])
    assert ours & set(leaves(body))


@each_row(("name", "dialect", "event"), SALES)
def test_a_purchase_names_its_sale_its_buyer_and_its_click(name: str, dialect: str, event: str) -> None:
    """Sale id, e-mail as typed, click id and fbclid all come through unchanged."""
    sale = order("7/contract/2", now_s=NOW_S, tracking=TRACKING)
    found = set(leaves(json.loads(say(name, dialect, event, sale).body)))
    assert {gateway(name).sale_id(sale), sale.buyer.email, "c-9f2c", "IwAR0aBcD"} <= found


@every_event
def test_same_arguments_same_bytes(name: str, dialect: str, event: str) -> None:
    """Rendering twice gives equal URL, headers and body; another order gives another body."""
    sale = order("7/contract/3", now_s=NOW_S)
    assert say(name, dialect, event, sale) == say(name, dialect, event, order("7/contract/3", now_s=NOW_S))
    assert say(name, dialect, event, sale).body != say(name, dialect, event, order("7/contract/4", now_s=NOW_S)).body


def digest_of_everything() -> str:
    digest = hashlib.sha256()
    for name, dialect, event in SAID:
        told = say(name, dialect, event, order("7/process", now_s=NOW_S, tracking=TRACKING))
        digest.update(repr((told.url, sorted(told.headers.items()), told.body)).encode())
    return digest.hexdigest()


@each_row("hash_seed", ["1", "4242"])
def test_same_bytes_in_a_fresh_process(hash_seed: str) -> None:
    """Every event of every gateway is the same in a process with another PYTHONHASHSEED, time zone and locale."""
    program = (
        f"import importlib.util as u; s = u.spec_from_file_location('contract', {__file__!r}); "
        "m = u.module_from_spec(s); s.loader.exec_module(m); print(m.digest_of_everything())"
    )
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == digest_of_everything()


@each_row("name", sorted(known()))
def test_a_sale_keeps_its_id_and_deliveries_have_their_own(name: str) -> None:
    """Approved and refunded name one sale; where the vendor numbers deliveries, each has its own number."""
    sale, fake = order("7/contract/5", now_s=NOW_S), gateway(name)
    bodies = [json.loads(say(name, "vendor", event, sale).body) for event in ("approved", "refunded")]
    assert all(fake.sale_id(sale) in set(leaves(body)) for body in bodies)
    if "id" in bodies[0]:
        assert bodies[0]["id"] != bodies[1]["id"]


@each_row("name", sorted(known()))
def test_sale_ids_do_not_collide(name: str) -> None:
    """20,000 orders have 20,000 sale ids: a collision would look like a lost conversion."""
    first = order("7/contract/6", now_s=NOW_S)
    ids = {gateway(name).sale_id(dataclasses.replace(first, key=f"k{number}")) for number in range(20_000)}
    assert len(ids) == 20_000


texts = st.text(min_size=1, max_size=60)
orders = st.builds(
    lambda key, cents, text, when_s, click, phone: order(
        key,
        now_s=when_s,
        amount=Decimal(cents).scaleb(-2),
        product_name=text,
        buyer={"full_name": text, "phone_e164": phone},
        tracking={"click_id": click} if click else {},
    ),
    key=texts,
    cents=st.integers(min_value=0, max_value=10**17),
    text=texts,
    when_s=st.integers(min_value=1_500_000_000, max_value=2_500_000_000),
    click=st.text(alphabet="abcXYZ019-_", max_size=30),
    phone=st.sampled_from([None, "+5511987654321", "+5555987654321", "+351912345678"]),
)


@every_dialect
@settings(max_examples=40, deadline=None, derandomize=True)
@example(sale=order("7/exact", now_s=NOW_S, amount=Decimal("999999999999999.99")))  # as a float: 1000000000000000.0
@given(sale=orders)
def test_amounts_and_texts_survive_exactly(name: str, dialect: str, sale: Order) -> None:
    """Any amount from nothing to more than a float holds, any text: what is parsed is what was sold."""
    body = json.loads(say(name, dialect, "approved", sale).body, parse_float=Decimal)
    assert amount_in(body, name, dialect) == sale.amount
    if dialect == "vendor":
        assert sale.product_name in set(leaves(body))


@each_row("name", sorted(known()))
def test_secrets_have_one_shape_and_follow_their_seed(name: str) -> None:
    """Same seed, same secret; another seed, another; none is short."""
    fake: FakeGateway = gateway(name)
    assert fake.new_secret("a") == fake.new_secret("a") != fake.new_secret("b")
    assert len(fake.new_secret("a")) >= 16


@every_dialect
def test_unknown_names_say_what_is_known(name: str, dialect: str) -> None:
    """A misspelt event or dialect is refused with the nearest that exists."""
    sale = order("7/contract/7", now_s=NOW_S)
    with pytest.raises(UnknownName, match="Did you mean 'approved'"):
        say(name, dialect, "aproved", sale)
    with pytest.raises(UnknownName, match="Did you mean 'vendor'"):
        say(name, "vendr", "approved", sale)


@each_row("name", ["hotmart", "kiwify", "perfectpay"])
def test_the_plan_dialect_signs_the_raw_body(name: str) -> None:
    """X-Signature is sha256= and the HMAC-SHA256 of exactly the bytes that are sent."""
    told, secret = say(name, "plan", "approved", order("7/contract/8", now_s=NOW_S)), gateway(name).new_secret("s")
    assert told.url == URL
    assert told.headers["X-Signature"] == "sha256=" + hmac.digest(secret.encode(), told.body, "sha256").hex()


@each_row(
    ("name", "fields"),
    [
        ("hotmart", ["order_id", "customer", "amount", "currency", "status", "event_time", "product_id"]),
        ("kiwify", ["purchase_id", "buyer", "value", "currency", "status", "created_at"]),
        ("perfectpay", ["sale_code", "customer", "sale_amount", "currency", "status", "approved_at"]),
    ],
)
def test_the_plan_dialect_has_exactly_the_plans_fields(name: str, fields: list[str]) -> None:
    """Field for field as mission.md has them, and `tracking` only when there is any."""
    for event in gateway(name).events("plan"):
        bare = json.loads(say(name, "plan", event, order("7/contract/9", now_s=NOW_S)).body)
        assert list(bare) == fields
        told = json.loads(say(name, "plan", event, order("7/contract/9", now_s=NOW_S, tracking=TRACKING)).body)
        assert list(told) == [*fields, "tracking"]
        assert told["tracking"] == TRACKING


def judged_by_stripe(told: Webhook, secret: str) -> stripe.Event:
    return stripe.Webhook.construct_event(told.body, told.headers.get("Stripe-Signature"), secret)


def complaints_of_the_sdk(told: Any, path: str, looked_at: set[str]) -> Iterator[str]:
    """Where a field is none that the SDK's own types know, or a word none of those that they allow."""
    for one in told if isinstance(told, list) else []:
        yield from complaints_of_the_sdk(one, path, looked_at)
    if not isinstance(told, stripe.StripeObject):
        return
    kind, values = type(told), {key: told[key] for key in told.to_dict()}
    fields: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        fields |= getattr(base, "__annotations__", {})
    # Metadata is the seller's; of a list the SDK's type does not name what every list has.
    typed = kind.__name__ not in {"StripeObject", "UntypedStripeObject", "ListObject"}
    for key, value in values.items():
        if typed and key not in fields:
            yield f"{path}: {kind.__qualname__} has no {key}"
        words = allowed_words(fields.get(key)) if typed else set()
        looked_at.update([f"{kind.__qualname__}.{key}"] if words else [])
        if words and isinstance(value, str) and value not in words:
            yield f"{path}.{key} is {value}, not of {sorted(words)}"
        yield from complaints_of_the_sdk(value, f"{path}.{key}", looked_at)


def allowed_words(annotation: Any) -> set[str]:
    """Those of every Literal in it."""
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    return set().union(*map(allowed_words, typing.get_args(annotation)))


@each_row("method", [None, "card", "pix", "boleto"])
@each_row("event", sorted(set(gateway("stripe").events("vendor")) - {"thin"}))
def test_the_official_sdk_accepts_the_fake_stripe(event: str, method: Any) -> None:
    """construct_event verifies the signature and reads the type; its types know every field and every word."""
    now_s = int(time.time())  # the SDK compares with the wall clock
    fake, sale = gateway("stripe"), order("7/stripe/1", now_s=now_s, method=method, tracking=TRACKING)
    read = judged_by_stripe(say("stripe", "vendor", event, sale, now_s=now_s), fake.new_secret("s"))
    assert read.type == fake.events("vendor")[event].vendor_name
    looked_at: set[str] = set()
    assert list(complaints_of_the_sdk(read.data.object, read.type, looked_at)) == []
    assert any(field.endswith((".status", ".object")) for field in looked_at)


def test_the_official_sdk_tells_a_thin_event_from_a_snapshot() -> None:
    """construct_event refuses it; parse_event_notification reads what it is about."""
    now_s, fake = int(time.time()), gateway("stripe")
    sale, secret = order("7/stripe/6", now_s=now_s), fake.new_secret("s")
    thin = say("stripe", "vendor", "thin", sale, now_s=now_s)
    with pytest.raises(ValueError, match="thin event notification"):
        judged_by_stripe(thin, secret)
    client = stripe.StripeClient("sk_test_of_nobody")
    read: Any = client.parse_event_notification(thin.body, thin.headers["Stripe-Signature"], secret)
    assert type(read).__name__ == "V1PaymentIntentSucceededEventNotification"
    assert read.related_object.id == fake.sale_id(sale)


CHANGED_BODIES = ("key_order", "escapes", "byte_order_mark", "trailing_newline", "duplicate_keys", "empty_body")


def test_the_official_sdk_takes_one_right_signature_of_several() -> None:
    """As while a secret is rolled: construct_event looks for any v1 that fits."""
    now_s, fake = int(time.time()), gateway("stripe")
    signing = Signing(gateway=fake, dialect="vendor", secret=fake.new_secret("s"), url=URL, now_s=now_s)
    sent = say("stripe", "vendor", "approved", order("7/stripe/5", now_s=now_s), now_s=now_s)
    assert expected("several_signatures", "stripe", "vendor") == "accepted"
    assert judged_by_stripe(tamper("several_signatures", sent, signing), signing.secret).type


@each_row(
    ("kind", "reason"),
    [
        ("one_byte", "No signatures found matching"),
        ("reserialised", "No signatures found matching"),
        ("wrong_secret", "No signatures found matching"),
        ("truncated_signature", "No signatures found matching"),
        ("uppercase_signature", "No signatures found matching"),
        *((kind, "No signatures found matching") for kind in CHANGED_BODIES),
        ("prefix_only", "No signatures found matching"),
        ("empty_signature", "No signatures found"),
        ("only_old_scheme", "No signatures found with expected scheme v1"),
        ("missing_signature", "header"),
        ("stale_timestamp", "Timestamp outside the tolerance zone"),
    ],
)
def test_the_official_sdk_refuses_what_was_tampered_with(kind: str, reason: str) -> None:
    """Each tampering is refused by construct_event for its own reason, as `expected` says."""
    now_s, fake = int(time.time()), gateway("stripe")
    signing = Signing(gateway=fake, dialect="vendor", secret=fake.new_secret("s"), url=URL, now_s=now_s)
    sent = say("stripe", "vendor", "approved", order("7/stripe/2", now_s=now_s), now_s=now_s)
    assert expected(kind, "stripe", "vendor") == "refused"
    with pytest.raises(stripe.SignatureVerificationError, match=reason):
        judged_by_stripe(tamper(kind, sent, signing), signing.secret)


def test_the_official_sdk_verifies_before_it_parses() -> None:
    """Malformed JSON with a right signature is refused as JSON, not as a signature."""
    now_s, fake = int(time.time()), gateway("stripe")
    signing = Signing(gateway=fake, dialect="vendor", secret=fake.new_secret("s"), url=URL, now_s=now_s)
    sent = say("stripe", "vendor", "approved", order("7/stripe/3", now_s=now_s), now_s=now_s)
    with pytest.raises(json.JSONDecodeError):
        judged_by_stripe(tamper("malformed_json", sent, signing), signing.secret)


def test_the_sdks_own_generator_writes_the_same_header() -> None:
    """stripe.WebhookSignature.generate_signature_header agrees on t and v1."""
    fake = gateway("stripe")
    told = say("stripe", "vendor", "approved", order("7/stripe/4", now_s=NOW_S))
    theirs = stripe.WebhookSignature.generate_signature_header(told.body.decode(), fake.new_secret("s"), NOW_S)
    assert told.headers["Stripe-Signature"] == theirs
