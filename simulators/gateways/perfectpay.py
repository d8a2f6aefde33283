"""Fake PerfectPay: the sales postback with its token in the body, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 3. What is
uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _perfectpay_bodies as bodies
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact, parse, php
from simulators.people import Method, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """`sale_status_enum` and its `_key`, and what the sale's past was."""

    number: int
    key: str
    outcome: Outcome = "ignored"
    paid: bool = False
    """Whether `date_approved` is known."""
    later: int | None = None
    """What the status becomes when the postback is normalised (P8); None: it stays."""
    format: Literal["regular", "orderbump", "upsell"] = "regular"
    method: Method = "card"
    """How it is paid where the order does not say."""
    cycle: int | None = None
    """Which charge of a subscription it is where the order does not say."""
    follows: bool = False
    """Whether it is a sale made anew, whose `original_code` is the old one's."""
    about: str = ""
    uncertain: bool = False


_TOLD = {
    "approved": _Told(number=2, key="approved", outcome="purchase", paid=True),
    "subscribed": _Told(
        number=2, key="approved", outcome="purchase", paid=True, cycle=1, about="the first charge of a subscription"
    ),
    "renewed": _Told(
        number=2,
        key="approved",
        outcome="purchase",
        paid=True,
        cycle=2,
        about="a later charge of a subscription: a code of its own",
    ),
    "order_bump": _Told(
        number=2, key="approved", outcome="purchase", paid=True, format="orderbump", about="a sale of its own"
    ),
    "upsell": _Told(
        number=2,
        key="approved",
        outcome="purchase",
        paid=True,
        format="upsell",
        about="a sale of its own, bought after the first with the same card",
    ),
    "regenerated": _Told(
        number=2,
        key="approved",
        outcome="purchase",
        paid=True,
        method="boleto",
        follows=True,
        about="paid by a second boleto: another code, and original_code is the first one's",
        uncertain=True,
    ),
    "completed": _Told(
        number=10, key="completed", outcome="purchase", paid=True, later=2, about="the same sale 30 days later"
    ),
    "none": _Told(number=0, key="none"),
    "pending": _Told(number=1, key="pending", method="pix"),
    "pending_boleto": _Told(number=1, key="pending", method="boleto"),
    "in_process": _Told(number=3, key="in_process", about="somebody looks at it"),
    "in_mediation": _Told(number=4, key="in_mediation", paid=True, about="quarrelled over; the money has not moved"),
    "refused": _Told(number=5, key="rejected"),
    "cancelled": _Told(number=6, key="cancelled"),
    "refunded": _Told(number=7, key="refunded", outcome="reversal", paid=True),
    "authorised": _Told(
        number=8, key="authorized", later=2, about="sources disagree whether it is paid", uncertain=True
    ),
    "chargeback": _Told(number=9, key="charged_back", outcome="reversal", paid=True),
    "checkout_error": _Told(number=11, key="checkout_error", later=6),
    "abandoned": _Told(number=12, key="precheckout"),
    "expired": _Told(number=13, key="expired", method="pix"),
    "cancelled_regenerated": _Told(
        number=15, key="cancelled_regenerated", method="boleto", about="a second boleto took its place", uncertain=True
    ),
    "in_review": _Told(number=16, key="in_review", later=2, about="under analysis"),
    "pre_chargeback": _Told(number=17, key="pre_chargeback", outcome="reversal", paid=True, later=9, uncertain=True),
    "pre_refunded": _Told(number=18, key="pre_refunded", outcome="reversal", paid=True, later=7, uncertain=True),
    "med": _Told(
        number=19,
        key="med",
        outcome="reversal",
        paid=True,
        later=7,
        method="pix",
        about="the special return of a Pix",
        uncertain=True,
    ),
    "pre_med": _Told(number=20, key="pre_med", outcome="reversal", paid=True, later=7, method="pix", uncertain=True),
}
_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="approved", outcome="purchase"),
    "refused": Event(name="refused", vendor_name="rejected", outcome="ignored"),
    "refunded": Event(name="refunded", vendor_name="refunded", outcome="reversal"),
}
_DATE = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """PerfectPay. The vendor dialect authenticates no body: who has seen one postback can write the next."""

    name: ClassVar[str] = "perfectpay"
    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")
    authenticates_body: ClassVar[Mapping[str, bool]] = {"plan": True, "vendor": False}
    checkout_fields: ClassVar[Mapping[str, str]] = {"src": "click_id", "sck": "fbclid", "_fbp": "fbp", "_fbc": "fbc"}
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "The true schedule of re-deliveries, which is not public (ours is a guess), and the panel's sending delay.",
        "Partial refunds, of which nothing is public: a refund has the sale's code and amount.",
        "The end of a subscription, whose words are unknown; the link from an order bump or upsell to its main sale.",
        "The marketplaces object, plan_itens, shipping, coupons, instalments, addresses of physical goods.",
        "PerfectPay's own User-Agent and further request headers, which are not public.",
    )

    normalised: bool = False
    """[!] Whether the postback maps 8, 10 and 16 to 2, 11 to 6, 17 to 9 and 18-20 to 7 before sending (P8 says so)."""
    utc_offset_s: int = shapes.BRASILIA_UTC_OFFSET_S
    """[?] Whose time the naive dates are; inferred from next_charge_date."""
    amount_as_text: bool = False
    """[!] Captures show a JSON number, two fixtures a string."""
    enum_keys: bool = True
    """[!] The twins `…_enum_key` are in every capture since 2025 and not in the documented table."""
    ddi_plus: bool = True
    """[!] `phone_formated_ddi` with or without a plus."""
    boleto_key: Literal["ticket", "billet"] = "ticket"
    """[!] What payment type 2 is called: P1 says ticket, P8 billet."""
    bump_format: int = 2
    """[?] The number of payment format `orderbump`, of which only the key was seen."""
    upsell_format: int = 3
    """[?] The number of payment format `upsell`, of which only the key was seen."""
    affiliate_type: int = 2
    """[?] The number of affiliation type `affiliate`; of `producer` the number is 1."""
    coproducer_type: int = 3
    """[?] The number and key of affiliation type `coproducer`."""
    company_type: tuple[int, str] = (2, "business")
    """[?] Number and key of a company's `customer_type`."""
    copies_any_parameter: bool = False
    """[?] Whether checkout parameters that nobody documents (fbclid, click_id …) reach `metadata` under their names."""
    php_escapes: bool = False
    """[?] Whether slashes and accents are escaped as PHP's json_encode does by default."""
    user_agent: str = "golive-fake-perfectpay"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them; a vendor's `vendor_name` is the number that is sent."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _PLAN_EVENTS
        return _vendor_events(normalised=self.normalised)

    def sale_id(self, order: Order) -> str:
        """`code` (plan: `sale_code`): PPCPMTB and ten capitals or digits. A renewal is a sale of its own."""
        return _code(order.key)

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
        told, past = _sent(_TOLD[event], normalised=self.normalised), _TOLD[event]
        order = replace(order, cycle=order.cycle or past.cycle, method=order.method or past.method)
        currency = bodies.currency(order)
        body = {
            "token": secret,
            **self._sale(order, told, past),
            **bodies.enum("currency", *currency),
            "product": bodies.product(order),
            "plan": bodies.bought_plan(order),
            "plan_itens": [],
            "customer": bodies.customer(order, company_type=self.company_type, plus="+" if self.ddi_plus else ""),
            "metadata": bodies.metadata(order, everything=self.copies_any_parameter),
            "webhook_owner": bodies.OWNER,
            "commission": bodies.commission(
                order, {"affiliate": self.affiliate_type, "coproducer": self.coproducer_type}
            ),
            "url_send_webhook_pay": url,
        }
        if order.cycle:
            body["subscription"] = bodies.subscription(order)
        if not self.enum_keys:
            body = bodies.without_enum_keys(body)
        return php(body) if self.php_escapes else compact(body)

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:  # noqa: ARG002 -- FakeGateway
        """Vendor: nothing but the token in the body, put there as text if an object has none. Plan: HMAC-SHA256."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _plan.sign(body, secret=secret, url=url)
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent}
        return Webhook(url=url, headers=headers, body=_with_token(body, secret))

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

    def _sale(self, order: Order, told: _Told, past: _Told) -> dict[str, Any]:
        formats = {"regular": 1, "orderbump": self.bump_format, "upsell": self.upsell_format}
        return {
            "code": self.sale_id(order),
            "sale_amount": format(order.amount, "f") if self.amount_as_text else shapes.shortest(order.amount),
            "coupon_code": None,
            "installments": 1,
            "installment_amount": None,
            **bodies.enum("shipping_type", None, None),
            "shipping_amount": None,
            **bodies.payment(order, upsell=past.format == "upsell", boleto_key=self.boleto_key),
            **bodies.enum("payment_format", formats[past.format], past.format),
            "original_code": _code(order.parents_key) if past.follows else None,
            **self._billet(order),
            "quantity": 1,
            **bodies.enum("sale_status", told.number, told.key),
            "sale_status_detail": told.key,
            "date_created": self._date(order.created_at_s),
            "date_approved": self._date(order.paid_at_s) if told.paid else None,
            "tracking": None,
            "url_tracking": None,
            "academy_access_url": None,
            "checkout_type_enum": "regular",
        }

    def _billet(self, order: Order) -> dict[str, Any]:
        """Of a boleto its page and digitable line; of a Pix its page, as captured; of a card nothing."""
        if order.method == "card" or not order.amount:
            return {"billet_url": "", "billet_number": None, "billet_expiration": None}
        line = shapes.code(shapes.DIGITS, 47, "perfectpay/billet", order.key) if order.method == "boleto" else None
        page = f"https://{order.method}.example.com/{self.sale_id(order)}"
        return {
            "billet_url": page,
            "billet_number": line,
            "billet_expiration": self._date(order.created_at_s + 2 * 86_400),
        }


def _code(key: str) -> str:
    return "PPCPMTB" + shapes.code(shapes.UPPER, 10, "perfectpay/code", key)


def _sent(told: _Told, *, normalised: bool) -> _Told:
    """What is sent for that status: itself, or the status that it is normalised to."""
    if not normalised or told.later is None:
        return told
    return next(one for one in _TOLD.values() if one.number == told.later)


@cache
def _vendor_events(*, normalised: bool) -> Mapping[str, Event]:
    found = {}
    for name, told in _TOLD.items():
        sent = _sent(told, normalised=normalised)
        found[name] = Event(
            name=name,
            vendor_name=str(sent.number),
            outcome=sent.outcome,
            about=told.about,
            uncertain=told.uncertain,
        )
    return found


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
