"""Fake Kiwify: the sales webhook with its signature in the query, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 2. What is
uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _kiwify_bodies as bodies
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact, parse
from simulators.people import Method, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Kiwify tells one event: `webhook_event_type` and `order_status`."""

    event_type: str
    status: str
    outcome: Outcome = "ignored"
    method: Method = "card"
    """How it is paid where the order does not say."""
    paid: bool = False
    """Whether `approved_date` is known."""
    cycle: int | None = None
    """Which charge of a subscription it is where the order does not say."""
    subscription: str = "active"
    """`Subscription.status`, if there is one; every word but `active` is a guess."""
    about: str = ""
    uncertain: bool = False


_TOLD = {
    "approved": _Told(event_type="order_approved", status="paid", outcome="purchase", paid=True),
    "subscribed": _Told(
        event_type="order_approved",
        status="paid",
        outcome="purchase",
        paid=True,
        cycle=1,
        about="the first charge of a subscription",
    ),
    "renewed": _Told(
        event_type="subscription_renewed",
        status="paid",
        outcome="purchase",
        paid=True,
        cycle=2,
        about="a later charge of a subscription: an order of its own",
        uncertain=True,
    ),
    "renewed_approved": _Told(
        event_type="order_approved",
        status="paid",
        outcome="purchase",
        paid=True,
        cycle=2,
        about="the same later charge, told as an order",
        uncertain=True,
    ),
    "order_bump": _Told(
        event_type="order_approved",
        status="paid",
        outcome="purchase",
        paid=True,
        about="an order of its own; how it names its main order is not public",
    ),
    "pending": _Told(event_type="pix_created", status="waiting_payment", method="pix"),
    "pending_boleto": _Told(event_type="billet_created", status="waiting_payment", method="boleto"),
    "refused": _Told(event_type="order_rejected", status="refused", subscription="inactive"),
    "refunded": _Told(event_type="order_refunded", status="refunded", outcome="reversal", paid=True),
    "chargeback": _Told(event_type="chargeback", status="chargedback", outcome="reversal", paid=True),
    "subscription_canceled": _Told(
        event_type="subscription_canceled", status="paid", paid=True, cycle=2, subscription="canceled", uncertain=True
    ),
    "subscription_late": _Told(
        event_type="subscription_late",
        status="waiting_payment",
        cycle=2,
        subscription="waiting_payment",
        uncertain=True,
    ),
}
_VENDOR_EVENTS = {
    name: Event(
        name=name, vendor_name=told.event_type, outcome=told.outcome, about=told.about, uncertain=told.uncertain
    )
    for name, told in _TOLD.items()
} | {
    "abandoned": Event(
        name="abandoned", vendor_name="abandoned", outcome="ignored", about="a cart: an object of another shape"
    )
}
Renewal = Literal["both", "renewed", "approved", "neither"]
_UNTOLD: Mapping[Renewal, frozenset[str]] = {
    "both": frozenset(),
    "renewed": frozenset({"renewed_approved"}),
    "approved": frozenset({"renewed"}),
    "neither": frozenset({"renewed", "renewed_approved"}),
}
_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="completed", outcome="purchase"),
    "pending": Event(name="pending", vendor_name="pending", outcome="ignored"),
}
_TRACKING_KEYS = ("src", "sck", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")


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
        "The true schedule of re-deliveries, which is not public (ours is a guess).",
        "The banking webhooks, which are another product.",
        "Partial refunds, of which nothing is public: not how they are told, and not whether there are any.",
        "Streets, the offer of a product, what a subscription gives access to, its lists of charges.",
        "Kiwify's own User-Agent and further request headers, which are not public.",
    )

    wrapped: bool = False
    """[!] `{url, signature, order}` instead of the order at the root; the signature then covers `order` alone."""
    utc_offset_s: int = shapes.BRASILIA_UTC_OFFSET_S
    """[?] Whose time the naive dates are. Brasília is the common assumption, one sample hints at 0 (UTC)."""
    renewal: Renewal = "both"
    """[!] What tells of a renewal: subscription_renewed (a trigger of its own), order_approved (which each cycle fires,
    says one integrator), both, or neither."""
    bump_link: str = ""
    """[?] The name of the field in which an order bump carries its main order's `order_id`; empty: there is none."""
    company_field: Literal["CNPJ", "CPF"] = "CNPJ"
    """[?] Under which key the document of a company stands."""
    amounts_as_text: bool = False
    """[!] Captures have whole numbers of cents, one project's types have texts."""
    merchant_id_as_text: bool = False
    """[!] `payment_merchant_id`: a number in one sample, a text in two."""
    knows_s_keys: bool = True
    """[!] Older payloads lack s1 to s3; what rode in them is lost then."""
    tracking_limit: int | None = 50
    """[?] Longest tracking value, in characters; what is longer is cut. None: nothing is cut."""
    user_agent: str = "golive-fake-kiwify"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _PLAN_EVENTS
        untold = _UNTOLD[self.renewal]
        return {name: event for name, event in _VENDOR_EVENTS.items() if name not in untold}

    def sale_id(self, order: Order) -> str:
        """`order_id` (plan: `purchase_id`), a UUID. A renewal is an order of its own."""
        return _order_id(order.key)

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
        told = self._cart(order) if event == "abandoned" else self._order(order, event, now_s)
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

    def _order(self, order: Order, event: str, now_s: int) -> dict[str, Any]:
        told = _TOLD[event]
        order = replace(order, cycle=order.cycle or told.cycle, method=order.method or told.method)
        late = told.outcome == "reversal" or event == "subscription_canceled"
        updated_s = now_s if late else order.paid_at_s if told.paid else order.created_at_s
        merchant = shapes.number(8, "kiwify/merchant")
        body = {
            "order_id": self.sale_id(order),
            "order_ref": shapes.code(shapes.ALNUM, 7, "kiwify/ref", order.key),
            "order_status": told.status,
            "webhook_event_type": told.event_type,
            "product_type": "membership",
            "payment_method": "credit_card" if order.method == "card" else order.method,
            "store_id": shapes.code(shapes.ALNUM, 15, "kiwify/store"),
            "payment_merchant_id": str(merchant) if self.merchant_id_as_text else merchant,
            "installments": 1 if order.method == "card" else None,
            **bodies.payment(order, self.utc_offset_s, refused=told.status == "refused"),
            "sale_type": "producer",
            "approved_date": self._date(order.paid_at_s) if told.paid else None,
            "created_at": self._date(order.created_at_s),
            "updated_at": self._date(updated_s),
            "refunded_at": self._date(now_s) if told.status == "refunded" else None,
            "Product": bodies.product(order),
            "Customer": bodies.customer(order, self.company_field),
            "Commissions": bodies.commissions(order, paid=told.paid, as_text=self.amounts_as_text),
            "TrackingParameters": self._tracking(order),
            "access_url": "https://membros.example.com/login",
            "checkout_link": bodies.checkout_link(order),
        }
        if order.cycle:
            subscription = bodies.subscription(order, told.subscription)
            body |= {"subscription_id": subscription["id"], "Subscription": subscription}
        if self.bump_link and (event == "order_bump" or order.parent_key):
            body[self.bump_link] = _order_id(order.parents_key)
        return body

    def _tracking(self, order: Order) -> dict[str, str | None]:
        """All keys, null when unknown; `s1` brings the click id back and `s2` the fbclid (contracts.md), or what the
        link itself had there."""
        known = order.tracking
        found = {key: known.get(key) for key in _TRACKING_KEYS}
        if self.knows_s_keys:
            found |= {"s1": known.get("click_id") or known.get("s1"), "s2": known.get("fbclid") or known.get("s2")}
            found["s3"] = known.get("s3")
        return {key: value and value[: self.tracking_limit] for key, value in found.items()}

    def _cart(self, order: Order) -> dict[str, Any]:
        """An abandoned cart: another, flat object without order_id and webhook_event_type; phone … created_at [?]."""
        return {
            "id": shapes.uuid4_shaped("kiwify/cart", order.key),
            "status": "abandoned",
            **bodies.product(order),
            "email": order.buyer.email,
            "name": order.buyer.full_name,
            "phone": order.buyer.phone_e164,
            "country": order.buyer.country.lower(),
            "checkout_link": bodies.checkout_link(order),
            "created_at": self._date(order.created_at_s),
        }


def _mac(message: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()


def _order_id(key: str) -> str:
    return shapes.uuid4_shaped("kiwify/order", key)
