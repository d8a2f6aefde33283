"""Fake Kiwify: the sales webhook with its signature in the query, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 2. What is
uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact, parse
from simulators.people import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Kiwify tells one event: `webhook_event_type` and `order_status`."""

    event_type: str
    status: str
    outcome: Outcome
    method: str = "credit_card"
    paid: bool = False
    """Whether `approved_date` is known."""


_TOLD = {
    "approved": _Told(event_type="order_approved", status="paid", outcome="purchase", paid=True),
    "renewed": _Told(event_type="subscription_renewed", status="paid", outcome="purchase", paid=True),
    "pending": _Told(event_type="pix_created", status="waiting_payment", outcome="ignored", method="pix"),
    "pending_boleto": _Told(event_type="billet_created", status="waiting_payment", outcome="ignored", method="boleto"),
    "refused": _Told(event_type="order_rejected", status="refused", outcome="ignored"),
    "refunded": _Told(event_type="order_refunded", status="refunded", outcome="reversal", paid=True),
    "chargeback": _Told(event_type="chargeback", status="chargedback", outcome="reversal", paid=True),
    "subscription_canceled": _Told(event_type="subscription_canceled", status="paid", outcome="ignored", paid=True),
    "subscription_late": _Told(event_type="subscription_late", status="waiting_payment", outcome="ignored"),
}
_VENDOR_EVENTS = {
    name: Event(name=name, vendor_name=told.event_type, outcome=told.outcome) for name, told in _TOLD.items()
} | {"abandoned": Event(name="abandoned", vendor_name="abandoned", outcome="ignored")}
_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="completed", outcome="purchase"),
    "pending": Event(name="pending", vendor_name="pending", outcome="ignored"),
}
_TRACKING_KEYS = ("src", "sck", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_MONTH_S = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Kiwify. The signature covers the body and no time: a captured request stays valid for ever."""

    name: ClassVar[str] = "kiwify"
    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")
    authenticates_body: ClassVar[Mapping[str, bool]] = {"plan": True, "vendor": True}
    checkout_fields: ClassVar[Mapping[str, str]] = {
        "src": "src",
        "sck": "sck",
        "s1": "click_id",
        "s2": "fbclid",
        "s3": "s3",
    }
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Re-delivery, whose schedule is not public, and the banking webhooks, which are another product.",
        "Companies (CNPJ), co-producers and affiliates, streets, the link between an order bump and its order.",
        "Kiwify's own User-Agent and further request headers, which are not public.",
    )

    wrapped: bool = False
    """[!] `{url, signature, order}` instead of the order at the root; the signature then covers `order` alone."""
    utc_offset_s: int = shapes.BRASILIA_UTC_OFFSET_S
    """[?] Whose time the naive dates are. Brasília is the common assumption, one sample hints at 0 (UTC)."""
    tracking_limit: int | None = 50
    """[?] Longest tracking value, in characters; what is longer is cut. None: nothing is cut."""
    user_agent: str = "golive-fake-kiwify"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _PLAN_EVENTS if dialect == "plan" else _VENDOR_EVENTS

    def sale_id(self, order: Order) -> str:
        """`order_id` (plan: `purchase_id`), a UUID. A renewal is an order of its own."""
        return shapes.uuid4_shaped("kiwify/order", order.key)

    def new_secret(self, seed: str) -> str:
        """A webhook token: 16 lower-case letters and digits."""
        return "kw" + shapes.code(shapes.DIGITS + "abcdefghijklmnopqrstuvwxyz", 14, "kiwify/token", seed)

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:
        """The body of one event; amounts in whole cents, dates naive and without seconds (plan: decimals, ISO 8601).

        Raises:
            UnknownName: no such dialect, or no such event in it.
            ValueError: an amount finer than a cent (vendor).
        """
        _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        if dialect == "plan":
            return self._plan_body(order, event)
        told = self._cart(order) if event == "abandoned" else self._order(order, _TOLD[event], now_s)
        if self.wrapped:
            return compact({"url": url, "signature": _mac(compact(told), secret), "order": told})
        return compact(told)

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:  # noqa: ARG002 -- FakeGateway
        """Vendor: `signature=<HMAC-SHA1 hex>` at the end of the query. Plan: HMAC-SHA256 over the body.

        An empty secret is signed with as Kiwify does without a token: an empty key, which proves nothing.
        """
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _plan.sign(body, secret=secret, url=url)
        mac = _mac(self._signed_part(body), secret)
        address, mark, fragment = url.partition("#")
        joint = "&" if "?" in address else "?"
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent}
        return Webhook(url=f"{address}{joint}signature={mac}{mark}{fragment}", headers=headers, body=body)

    def _signed_part(self, body: bytes) -> bytes:
        """The bytes under the signature: all, unless the body is wrapped."""
        if not self.wrapped:
            return body
        try:
            return compact(parse(body)["order"])
        except (ValueError, LookupError, TypeError):
            return body  # a body of one's own that is no wrapper

    def _plan_body(self, order: Order, event: str) -> bytes:
        fields = {
            "purchase_id": self.sale_id(order),
            "buyer": _plan.contact(order),
            "value": _plan.amount(order),
            "currency": order.currency,
            "status": _PLAN_EVENTS[event].vendor_name,
            "created_at": shapes.iso_z(order.created_at_s),
        }
        return _plan.render(order, fields)

    def _date(self, at_s: int) -> str:
        return shapes.naive(at_s, self.utc_offset_s, "%Y-%m-%d %H:%M")

    def _order(self, order: Order, told: _Told, now_s: int) -> dict[str, Any]:
        late = told.outcome == "reversal" or told.event_type == "subscription_canceled"
        updated_s = now_s if late else order.paid_at_s if told.paid else order.created_at_s
        body = {
            "order_id": self.sale_id(order),
            "order_ref": shapes.code(shapes.ALNUM, 7, "kiwify/ref", order.key),
            "order_status": told.status,
            "webhook_event_type": told.event_type,
            "product_type": "membership",
            "payment_method": told.method,
            "store_id": shapes.code(shapes.ALNUM, 15, "kiwify/store"),
            "payment_merchant_id": shapes.number(8, "kiwify/merchant"),
            "installments": 1 if told.method == "credit_card" else None,
            **_payment(order, told, self.utc_offset_s),
            "sale_type": "producer",
            "approved_date": self._date(order.paid_at_s) if told.paid else None,
            "created_at": self._date(order.created_at_s),
            "updated_at": self._date(updated_s),
            "refunded_at": self._date(now_s) if told.status == "refunded" else None,
            "Product": _product(order),
            "Customer": _customer(order),
            "Commissions": _commissions(order, told),
            "TrackingParameters": self._tracking(order),
            "access_url": "https://membros.example.com/login",
            "checkout_link": shapes.code(shapes.ALNUM, 7, "kiwify/checkout", order.product_id),
        }
        if told.event_type.startswith("subscription_"):
            subscription = _subscription(order, told)
            body |= {"subscription_id": subscription["id"], "Subscription": subscription}
        return body

    def _tracking(self, order: Order) -> dict[str, str | None]:
        """All keys, null when unknown; `s1` brings the click id back and `s2` the fbclid (contracts.md)."""
        known = order.tracking
        found = {key: known.get(key) for key in _TRACKING_KEYS}
        found |= {"s1": known.get("click_id"), "s2": known.get("fbclid"), "s3": known.get("s3")}
        return {key: value and value[: self.tracking_limit] for key, value in found.items()}

    def _cart(self, order: Order) -> dict[str, Any]:
        """An abandoned cart: another, flat object without order_id and webhook_event_type; phone … created_at [?]."""
        return {
            "id": shapes.uuid4_shaped("kiwify/cart", order.key),
            "status": "abandoned",
            **_product(order),
            "email": order.buyer.email,
            "name": order.buyer.full_name,
            "phone": order.buyer.phone_e164,
            "country": order.buyer.country.lower(),
            "checkout_link": shapes.code(shapes.ALNUM, 7, "kiwify/checkout", order.product_id),
            "created_at": self._date(order.created_at_s),
        }


def _mac(message: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()


def _product(order: Order) -> dict[str, str]:
    return {"product_id": shapes.uuid4_shaped("kiwify/product", order.product_id), "product_name": order.product_name}


def _payment(order: Order, told: _Told, utc_offset_s: int) -> dict[str, Any]:
    card, pix, boleto = (told.method == method for method in ("credit_card", "pix", "boleto"))
    return {
        "card_type": "mastercard" if card else None,
        "card_last4digits": shapes.code(shapes.DIGITS, 4, "kiwify/card", order.key) if card else None,
        "card_rejection_reason": "insufficient_funds" if told.status == "refused" else None,
        "boleto_URL": "https://boleto.example.com/" + shapes.code(shapes.ALNUM, 12, order.key) if boleto else None,
        "boleto_barcode": shapes.code(shapes.DIGITS, 47, "kiwify/boleto", order.key) if boleto else None,
        "boleto_expiry_date": shapes.naive(order.created_at_s + 3 * 86_400, utc_offset_s, "%Y-%m-%d")
        if boleto
        else None,
        "pix_code": "00020126580014br.gov.bcb.pix" + shapes.code(shapes.UPPER, 30, order.key) if pix else None,
        "pix_expiration": shapes.naive(order.created_at_s + 86_400, utc_offset_s, "%Y-%m-%d %H:%M") if pix else None,
    }


def _customer(order: Order) -> dict[str, Any]:
    buyer = order.buyer
    return {
        "full_name": buyer.full_name,
        "first_name": buyer.first_name,
        "email": buyer.email,
        "mobile": buyer.phone_e164,
        "CPF": buyer.document,
        "ip": buyer.ip_address,
        "country": buyer.country.lower(),
        # A digital sale asks for no street.
        "street": None,
        "number": None,
        "complement": None,
        "neighborhood": None,
        "city": buyer.city,
        "state": buyer.state,
        "zipcode": buyer.zip_code,
    }


def _commissions(order: Order, told: _Told) -> dict[str, Any]:
    """Whole cents of the currency; the fee is Kiwify's 8.99 % and 2.49, rounded half up, never above the charge."""
    charge = shapes.minor(order.amount, 2)
    fee = min(charge, (charge * 899 + 5_000) // 10_000 + 249)
    mine = charge - fee
    store = {
        "id": shapes.uuid4_shaped("kiwify/commissioned-store"),
        "type": "producer",
        "custom_name": "Produtora Golive",
        "email": "produtora@loja.example.com",
        "value": mine,
        "commissionId": shapes.uuid4_shaped("kiwify/commission", order.key),
    }
    return {
        "charge_amount": charge,
        "product_base_price": charge,
        "product_base_price_currency": order.currency,
        "kiwify_fee": fee,
        "kiwify_fee_currency": order.currency,
        "settlement_amount": charge,
        "settlement_amount_currency": order.currency,
        "sale_tax_rate": 0,
        "sale_tax_amount": 0,
        "commissioned_stores": [store],
        "currency": order.currency,
        "my_commission": mine,
        "funds_status": "waiting" if told.paid else None,
        "estimated_deposit_date": None,
        "deposit_date": None,
    }


def _subscription(order: Order, told: _Told) -> dict[str, Any]:
    """One buyer's subscription to one product, the same in every cycle; its dates are UTC with milliseconds."""
    who = (order.buyer.document, order.product_id)
    states = {"subscription_canceled": "canceled", "subscription_late": "waiting_payment"}
    start_s = order.paid_at_s - _MONTH_S
    return {
        "id": shapes.uuid4_shaped("kiwify/subscription", *who),
        "start_date": shapes.naive(start_s, 0, "%Y-%m-%dT%H:%M:%S.000Z"),
        "next_payment": shapes.naive(start_s + 2 * _MONTH_S, 0, "%Y-%m-%dT%H:%M:%S.000Z"),
        "status": states.get(told.event_type, "active"),
        "plan": {
            "id": shapes.uuid4_shaped("kiwify/plan", order.product_id),
            "name": "Plano mensal",
            "frequency": "monthly",
            "qty_charges": 0,
        },
        "charges": {"completed": [], "future": []},
    }
