"""Both halves of each gateway together: what the fake tells, with every switch, the reference reads rightly.

They were written apart from each other, from the vendors' facts; here they meet without a server in between.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from reference_impl.domain import normalise
from reference_impl.domain.conversion import Ignored, Meaning, Purchase, Reinstatement, Reversal
from reference_impl.gateways import RawDelivery, adapter
from simulators.gateways import FakeGateway, Webhook, gateway, known, webhook
from simulators.gateways._switches import switches
from simulators.people import Order, company, foreigner, order
from tests.rows import each_row

NOW_S = 1_772_366_400
SECRET = "whsec_of-both-halves-0123456789"
TRACKING = {"click_id": "c-9f2c", "fbclid": "IwAR0aBcD-0123456789_x", "fbp": "fb.1.1772366400.123"}

#: Every switch of every gateway on the other side, and what a receiver cannot know any more because of it.
SWITCHED: Mapping[str, list[tuple[dict[str, Any], set[str]]]] = {
    "hotmart": [
        ({"status_spelling": "documented"}, set()),
        ({"hottok_in_body": True}, set()),
        ({"phone_code": "area"}, set()),
        ({"phone_code": "absent"}, {"phone"}),
        ({"own_sck": ""}, set()),
        ({"third_key": "xcode"}, set()),
        ({"unplaced_event": "PURCHASE_WAITING_PAYMENT"}, set()),
        ({"partial_refund_event": "PURCHASE_PARTIALLY_REFUNDED"}, set()),
        ({"partial_refund_event": "PURCHASE_CHARGEBACK"}, set()),
        ({"whole_address": False}, set()),
        ({"recollected_fields": True}, set()),
        ({"reversals_keep_origin": False}, set()),
    ],
    "kiwify": [
        ({"wrapped": True}, set()),
        ({"utc_offset_s": 0}, {"time"}),
        ({"renewal": "renewed"}, set()),
        ({"renewal": "approved"}, set()),
        ({"renewal": "neither"}, set()),
        ({"bump_link": "parent_order_id"}, set()),
        ({"company_field": "CPF"}, set()),
        ({"amounts_as_text": True}, set()),
        ({"merchant_id_as_text": True}, set()),
        ({"knows_s_keys": False}, {"click"}),
        ({"tracking_limit": None}, set()),
    ],
    "perfectpay": [
        ({"normalised": True}, set()),
        ({"utc_offset_s": 0}, {"time"}),
        ({"amount_as_text": True}, set()),
        ({"php_escapes": True}, set()),
        ({"enum_keys": False}, set()),
        ({"ddi_plus": False}, set()),
        ({"boleto_key": "billet"}, set()),
        ({"bump_format": 9, "upsell_format": 10}, set()),
        ({"affiliate_type": 9, "coproducer_type": 10, "company_type": (9, "x")}, set()),
        ({"copies_any_parameter": True}, set()),
    ],
    "stripe": [
        ({"livemode": False}, set()),
        ({"old_secret": "whsec_before"}, set()),
        ({"api_version": "2023-10-16"}, set()),
        ({"intent_has_metadata": False}, {"click"}),
        ({"intent_has_email": False}, {"email"}),
    ],
}
NEVER_TOLD = {"stripe": {"phone"}}
#: Nothing can be paid back, or be missing, of nothing.
PARTS_OF_SOMETHING = {
    "stripe": {"partly_refunded", "partly_refunded_again", "partial_refund_created", "partly_funded"},
}


def each_switch(name: str) -> list[tuple[dict[str, Any], set[str]]]:
    """For a gateway that nobody has listed above: each of its short choices; it says itself what is lost by them."""
    fake = known()[name]
    lost: Mapping[str, set[str]] = getattr(fake, "loses", {})
    return [({one.name: other}, lost.get(one.name, set())) for one in switches(fake) for other in one.others]


SPOKEN = [
    pytest.param(name, dialect, thrown, unknown, id="-".join([name, dialect, *(f"{k}={v}" for k, v in thrown.items())]))
    for name, fake in sorted(known().items())
    for dialect in fake.dialects
    for thrown, unknown in [({}, set()), *(SWITCHED.get(name) or each_switch(name) if dialect == "vendor" else [])]
]
BUYERS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "free": {"amount": Decimal(0)},
    "company": {"buyer": company("7"), "method": "boleto"},
    "abroad": {"buyer": foreigner("7"), "method": "card", "partners": ("affiliate", "coproducer")},
    "silent": {"buyer": {"phone_e164": None}, "method": "pix"},
    "subscriber": {"cycle": 3},
    "added": {"parent_key": "7/main"},
}


def read(fake: FakeGateway, dialect: str, sent: Webhook) -> Meaning:
    """As the reference does it: verified first."""
    delivery = RawDelivery(
        body=sent.body,
        headers={key.lower(): value for key, value in sent.headers.items()},
        query=dict(parse_qsl(urlsplit(sent.url).query)),
    )
    one = adapter(fake.name)
    one.verify(delivery, dialect=dialect, secrets=[SECRET], now_s=NOW_S)
    return one.read(sent.body, dialect=dialect)


def happened_at_s(name: str, sent: Webhook) -> int | None:
    """When what a webhook tells has happened; Stripe alone says so of what goes back."""
    return int(json.loads(sent.body)["created"]) if name == "stripe" else None


def check_purchase(found: Meaning, sale: Order, fake: FakeGateway, unknown: set[str]) -> None:
    assert isinstance(found, Purchase)
    assert (found.sale_id, found.amount, found.currency) == (fake.sale_id(sale), sale.amount, sale.currency)
    if "email" not in unknown:
        assert found.buyer.email == sale.buyer.email
    if "phone" not in unknown:
        told = normalise.phone(found.buyer.phone, country=found.buyer.country)
        assert told == ((sale.buyer.phone_e164 or "").removeprefix("+") or None)
    if "click" not in unknown:
        assert (found.trail.click_id, found.trail.fbclid) == (TRACKING["click_id"], TRACKING["fbclid"])
    if "time" not in unknown and found.paid_at_s is not None:
        assert found.paid_at_s <= sale.paid_at_s < found.paid_at_s + found.paid_within_s


def test_every_switch_is_tried() -> None:
    """A switch that is added without an entry here is noticed."""
    for name, fake in known().items():
        tried = {switch for thrown, _ in SWITCHED.get(name) or each_switch(name) for switch in thrown}
        assert tried | {"user_agent"} >= {field.name for field in dataclasses.fields(fake)}  # type: ignore[arg-type]


@each_row("who", BUYERS)
@each_row(("name", "dialect", "thrown", "unknown"), SPOKEN)
def test_the_reference_reads_what_the_fake_tells(
    name: str, dialect: str, thrown: dict[str, Any], unknown: set[str], who: str
) -> None:
    """Purchase, reversal of all or of a part, or nothing: as events() says, whoever buys, whatever the switches."""
    fake: Any = dataclasses.replace(known()[name], **thrown)  # type: ignore[type-var]
    never = NEVER_TOLD.get(name, set()) if dialect == "vendor" else set()
    sale = order(f"7/halves/{who}", now_s=NOW_S, tracking=TRACKING, **BUYERS[who])
    for event, spec in fake.events(dialect).items():
        if who == "free" and event in PARTS_OF_SOMETHING.get(name, set()):
            continue
        sent = webhook(fake, sale, event, dialect=dialect, secret=SECRET, url="http://127.0.0.1/hook", now_s=NOW_S)
        found = read(gateway(name), dialect, sent)
        if spec.outcome == "purchase":
            check_purchase(found, sale, fake, unknown | never)
        elif spec.outcome == "reversal":
            disputed = any(word in event for word in ("chargeback", "protest", "dispute"))
            kind = "partial_refund" if spec.partial else "chargeback" if disputed else "refund"
            told_at_s = happened_at_s(name, sent)
            assert found == Reversal(sale_id=fake.sale_id(sale), kind=kind, happened_at_s=told_at_s), event
        elif spec.outcome == "reinstatement":
            undone: Any = "chargeback" if "dispute" in event else "refund"
            told_at_s = happened_at_s(name, sent)
            assert found == Reinstatement(sale_id=fake.sale_id(sale), kind=undone, happened_at_s=told_at_s), event
        else:
            assert isinstance(found, Ignored), event
