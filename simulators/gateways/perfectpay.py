"""Fake PerfectPay: the sales postback with its token in the body, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 3. What is
uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from simulators.gateways import Event, Outcome, UnknownName, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact, parse, php
from simulators.people import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """`sale_status_enum` and its `_key`, and what the sale's past was."""

    number: int
    key: str
    outcome: Outcome
    paid: bool = False
    """Whether `date_approved` is known."""
    later: int | None = None
    """What the status becomes when the postback is normalised (P8); None: it stays."""


_TOLD = {
    "approved": _Told(number=2, key="approved", outcome="purchase", paid=True),
    "renewed": _Told(number=2, key="approved", outcome="purchase", paid=True),
    "completed": _Told(number=10, key="completed", outcome="purchase", paid=True, later=2),
    "pending": _Told(number=1, key="pending", outcome="ignored"),
    "in_process": _Told(number=3, key="in_process", outcome="ignored"),
    "in_mediation": _Told(number=4, key="in_mediation", outcome="ignored", paid=True),
    "refused": _Told(number=5, key="rejected", outcome="ignored"),
    "cancelled": _Told(number=6, key="cancelled", outcome="ignored"),
    "refunded": _Told(number=7, key="refunded", outcome="reversal", paid=True),
    "chargeback": _Told(number=9, key="charged_back", outcome="reversal", paid=True),
    "checkout_error": _Told(number=11, key="checkout_error", outcome="ignored", later=6),
    "abandoned": _Told(number=12, key="precheckout", outcome="ignored"),
    "expired": _Told(number=13, key="expired", outcome="ignored"),
    "in_review": _Told(number=16, key="in_review", outcome="ignored", later=2),
    "pre_chargeback": _Told(number=17, key="pre_chargeback", outcome="reversal", paid=True, later=9),
    "pre_refunded": _Told(number=18, key="pre_refunded", outcome="reversal", paid=True, later=7),
    "med": _Told(number=19, key="med", outcome="reversal", paid=True, later=7),
    "pre_med": _Told(number=20, key="pre_med", outcome="reversal", paid=True, later=7),
}
_BY_NUMBER = {told.number: told for told in reversed(_TOLD.values())}
_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="approved", outcome="purchase"),
    "refused": Event(name="refused", vendor_name="rejected", outcome="ignored"),
    "refunded": Event(name="refunded", vendor_name="refunded", outcome="reversal"),
}
_CURRENCIES = {"BRL": 1, "USD": 2, "EUR": 3}
_METADATA = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "ttclid", "ref")
_DATE = "%Y-%m-%d %H:%M:%S"
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """PerfectPay. The vendor dialect authenticates no body: who has seen one postback can write the next."""

    name: ClassVar[str] = "perfectpay"
    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")
    authenticates_body: ClassVar[Mapping[str, bool]] = {"plan": True, "vendor": False}
    checkout_fields: ClassVar[Mapping[str, str]] = {"src": "click_id", "sck": "fbclid", "_fbp": "fbp", "_fbc": "fbc"}
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Re-delivery and its schedule, which are not public, and the sending delay of the panel.",
        "Status 0, 8 (authorised, of which sources disagree whether it is paid) and 15; partial refunds.",
        "Boleto links, affiliates, order bumps and upsells, the marketplaces object, addresses of physical goods.",
        "PerfectPay's own User-Agent and further request headers, which are not public.",
    )

    normalised: bool = False
    """[!] Whether the postback maps 10 and 16 to 2, 11 to 6, 17 to 9 and 18-20 to 7 before sending (P8 says so)."""
    utc_offset_s: int = shapes.BRASILIA_UTC_OFFSET_S
    """[?] Whose time the naive dates are; inferred from next_charge_date."""
    amount_as_text: bool = False
    """[!] Captures show a JSON number, two fixtures a string."""
    php_escapes: bool = False
    """[?] Whether slashes and accents are escaped as PHP's json_encode does by default."""
    user_agent: str = "golive-fake-perfectpay"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them; a vendor's `vendor_name` is the number that is sent."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _PLAN_EVENTS
        sent = {name: self._sent(told) for name, told in _TOLD.items()}
        return {
            name: Event(name=name, vendor_name=str(told.number), outcome=told.outcome) for name, told in sent.items()
        }

    def sale_id(self, order: Order) -> str:
        """`code` (plan: `sale_code`): PPCPMTB and ten capitals or digits. A renewal is a sale of its own."""
        return "PPCPMTB" + shapes.code(shapes.UPPER, 10, "perfectpay/code", order.key)

    def new_secret(self, seed: str) -> str:
        """A postback token: 32 lower-case hex digits."""
        return shapes.code(shapes.DIGITS + "abcdef", 31, "perfectpay/token", seed) + "f"

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:  # noqa: ARG002 -- FakeGateway
        """The body of one event, the vendor's with its token; decimals in major units, naive dates (plan: ISO 8601).

        Raises:
            UnknownName: no such dialect, no such event in it, or a currency that PerfectPay has no number for.
        """
        _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        if dialect == "plan":
            return self._plan_body(order, event)
        told = self._sent(_TOLD[event])
        body = {
            "token": secret,
            **self._sale(order, told),
            **_enum("currency", _currency(order), order.currency),
            "product": _product(order),
            "plan": _bought_plan(order),
            "plan_itens": [],
            "customer": _customer(order),
            "metadata": _metadata(order),
            "webhook_owner": "PPA" + shapes.code(shapes.UPPER, 6, "perfectpay/owner"),
            "commission": _commission(order),
            "url_send_webhook_pay": url,
        }
        if event == "renewed":
            body["subscription"] = _subscription(order)
        return php(body) if self.php_escapes else compact(body)

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:  # noqa: ARG002 -- FakeGateway
        """Vendor: nothing but the token in the body, put there as text if an object has none. Plan: HMAC-SHA256."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _plan.sign(body, secret=secret, url=url)
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent}
        return Webhook(url=url, headers=headers, body=_with_token(body, secret))

    def _sent(self, told: _Told) -> _Told:
        """What is sent for that status: itself, or what it is normalised to."""
        if not self.normalised or told.later is None:
            return told
        return _BY_NUMBER[told.later]

    def _plan_body(self, order: Order, event: str) -> bytes:
        fields = {
            "sale_code": self.sale_id(order),
            "customer": _plan.contact(order),
            "sale_amount": _plan.amount(order),
            "currency": order.currency,
            "status": _PLAN_EVENTS[event].vendor_name,
            "approved_at": None if event == "refused" else shapes.iso_z(order.paid_at_s),
        }
        return _plan.render(order, fields)

    def _date(self, at_s: int) -> str:
        return shapes.naive(at_s, self.utc_offset_s, _DATE)

    def _sale(self, order: Order, told: _Told) -> dict[str, Any]:
        amount = shapes.shortest(order.amount)
        pix = told.number in {1, 13}  # what is pending or has expired was no card payment
        return {
            "code": self.sale_id(order),
            "sale_amount": format(order.amount, "f") if self.amount_as_text else amount,
            "coupon_code": None,
            "installments": 1,
            "installment_amount": None,
            **_enum("shipping_type", None, None),
            "shipping_amount": None,
            **_enum("payment_method", 0 if pix else 1, "none" if pix else "visa"),
            **_enum("payment_type", 7 if pix else 1, "pix" if pix else "credit_card"),
            **_enum("payment_format", 1, "regular"),
            "original_code": None,
            "billet_url": f"https://pix.example.com/{self.sale_id(order)}" if pix else "",
            "billet_number": None,
            "billet_expiration": self._date(order.created_at_s + 2 * _DAY_S) if pix else None,
            "quantity": 1,
            **_enum("sale_status", told.number, told.key),
            "sale_status_detail": told.key,
            "date_created": self._date(order.created_at_s),
            "date_approved": self._date(order.paid_at_s) if told.paid else None,
            "tracking": None,
            "url_tracking": None,
            "academy_access_url": None,
            "checkout_type_enum": "regular",
        }


def _enum(field: str, number: int | None, key: str | None) -> dict[str, Any]:
    return {f"{field}_enum": number, f"{field}_enum_key": key}


def _currency(order: Order) -> int:
    try:
        return _CURRENCIES[order.currency]
    except KeyError:
        raise UnknownName("PerfectPay currency", order.currency, _CURRENCIES) from None


def _product(order: Order) -> dict[str, Any]:
    return {
        "code": "PPPB" + shapes.code(shapes.UPPER, 4, "perfectpay/product", order.product_id),
        "name": order.product_name,
        "external_reference": order.product_id,
        "guarantee": 7,
    }


def _bought_plan(order: Order) -> dict[str, Any]:
    plan_code = "PPLQ" + shapes.code(shapes.UPPER, 5, "perfectpay/plan", order.product_id)
    return {"code": plan_code, "name": "Plano único", "quantity": 1, "tax_code": None}


def _customer(order: Order) -> dict[str, Any]:
    buyer = order.buyer
    digits = (buyer.phone_e164 or "").removeprefix("+")
    national = digits.removeprefix("55") if digits.startswith("55") else digits
    cut = 2 if digits.startswith("55") else 0  # of a foreign number nobody knows where its area code ends
    formatted = f"({national[:2]}) {national[2:-4]}-{national[-4:]}" if cut else national
    known = bool(digits)
    return {
        **_enum("customer_type", 1, "personal"),
        "full_name": buyer.full_name,
        "email": buyer.email,
        "identification_type": "CPF",
        "identification_number": buyer.document,
        "birthday": None,
        "date_birth": None,
        "phone_extension": "55" if cut else None,
        "phone_area_code": national[:cut] if cut else None,
        "phone_number": national[cut:] if known else None,
        "phone_formated": formatted if known else None,
        "phone_formated_ddi": f"+{'55 ' if cut else ''}{formatted}" if known else None,
        "ip": buyer.ip_address,
        "user_agent": buyer.user_agent,
        # A digital sale asks for no street.
        **dict.fromkeys(("street_name", "street_number", "district", "complement"), ""),
        "zip_code": buyer.zip_code,
        "city": buyer.city,
        "state": buyer.state,
        "country": buyer.country,
    }


def _metadata(order: Order) -> dict[str, str | None]:
    """`src` brings the click id back and `sck` the fbclid (contracts.md); `_fbp`, `_fbc` only when there are any."""
    known = order.tracking
    found: dict[str, str | None] = {"src": known.get("click_id"), "sck": known.get("fbclid")}
    found |= {key: known.get(key) for key in _METADATA}
    return found | {f"_{key}": known[key] for key in ("fbp", "fbc") if key in known}


def _commission(order: Order) -> list[dict[str, Any]]:
    """The platform's 6.9 % (rounded to the currency's unit) and the producer's rest."""
    cent = Decimal(1).scaleb(-shapes.exponent(order.currency))
    fee = (order.amount * Decimal("0.069")).quantize(cent, rounding=ROUND_HALF_UP)
    currency = _enum("currency", _currency(order), order.currency)
    producer = {
        "affiliation_code": "PPA" + shapes.code(shapes.UPPER, 6, "perfectpay/owner"),
        **_enum("affiliation_type", 1, "producer"),
        "name": "Produtora Golive",
        "email": "produtora@loja.example.com",
        "identification_number": "00000000000191",
        "commission_amount": shapes.shortest(order.amount - fee),
        **currency,
    }
    platform = {**_enum("affiliation_type", 0, "platform"), "commission_amount": shapes.shortest(fee), **currency}
    return [producer, platform]


def _subscription(order: Order) -> dict[str, Any]:
    """One buyer's subscription to one plan; it is charged at midnight of Brasília, written as UTC."""
    midnight_s = (order.paid_at_s // _DAY_S + 30) * _DAY_S - shapes.BRASILIA_UTC_OFFSET_S
    who = (order.buyer.document, order.product_id)
    return {
        "code": "PPSUB" + shapes.code(shapes.UPPER, 8, "perfectpay/subscription", *who),
        "charges_made": 2,
        "next_charge_date": shapes.naive(midnight_s, 0, "%Y-%m-%dT%H:%M:%S.000000Z"),
        "subscription_status_enum": 2,
        "status": "active",
        "status_event": "subscription_renewed",
    }


_OPENING = re.compile(rb"\s*\{\s*(\}?)")


def _with_token(body: bytes, secret: str) -> bytes:
    """The body, with `"token"` first in it unless an object has one already; no other byte is touched."""
    try:
        value = parse(body)
    except ValueError:
        value = {"token": None} if b'"token"' in body else {}
    opening = _OPENING.match(body)
    if opening is None or not isinstance(value, dict) or "token" in value:
        return body
    joint = b"" if opening.group(1) else b","
    at = body.index(b"{") + 1
    return body[:at] + b'"token":' + json.dumps(secret).encode() + joint + body[at:]
