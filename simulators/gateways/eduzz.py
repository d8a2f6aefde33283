"""Fake Eduzz: webhook v3 ("Developer Hub"), signed by HMAC-SHA256 over the body in `x-signature`.

Sources, with their weight: developers.eduzz.com/reference/webhook (read 2026-11: the envelope, buyer, price, items and
the list of statuses; DOC) and the code of several independent integrators (signature, `paid`, `paidAt`, `utm`,
`tracker`, event names of paid, refunded, canceled, chargeback; CODE). What stands on one source is a switch, or is
marked as uncertain.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact
from simulators.people import Order

_LOWER = shapes.DIGITS + "abcdefghijklmnopqrstuvwxyz"
_METHODS = {"card": "creditCard", "pix": "pix", "boleto": "bankslip"}
_UTM_KEYS = ("source", "medium", "campaign", "content", "term")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Eduzz tells one event: its name and `data.status`."""

    event: str
    status: str
    outcome: Outcome = "ignored"
    paid: bool = False
    uncertain: bool = False
    about: str = ""


_TOLD = {
    "approved": _Told(event="myeduzz.invoice_paid", status="paid", outcome="purchase", paid=True),
    "opened": _Told(event="myeduzz.invoice_opened", status="open", about="an invoice was made"),
    "pending": _Told(event="myeduzz.invoice_waiting_payment", status="waitingPayment"),
    "refused": _Told(
        event="myeduzz.invoice_refused",
        status="refused",
        uncertain=True,
        about="only the status is documented",
    ),
    "negotiated": _Told(event="myeduzz.invoice_negotiated", status="negotiated", about="will be paid in another way"),
    "canceled": _Told(event="myeduzz.invoice_canceled", status="canceled", about="an invoice that nobody has paid"),
    "waiting_refund": _Told(
        event="myeduzz.invoice_waiting_refund", status="waitingRefund", paid=True, about="asked for, not yet paid back"
    ),
    "refunded": _Told(event="myeduzz.invoice_refunded", status="refunded", outcome="reversal", paid=True),
    "chargeback": _Told(
        event="myeduzz.invoice_chargeback",
        status="refunded",
        outcome="reversal",
        paid=True,
        uncertain=True,
        about="the event is seen in code; the list of statuses has none for it",
    ),
}
_EVENTS = {
    name: Event(name=name, vendor_name=told.event, outcome=told.outcome, about=told.about, uncertain=told.uncertain)
    for name, told in _TOLD.items()
} | {
    "abandoned": Event(
        name="abandoned",
        vendor_name="sun.cart_abandoned",
        outcome="ignored",
        about="a cart, of another shape; its fields are not public",
        uncertain=True,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Eduzz. The signature covers the body and no time: a captured request stays valid for ever."""

    name: ClassVar[str] = "eduzz"
    dialects: ClassVar[tuple[str, ...]] = ("vendor",)
    authenticates_body: ClassVar[Mapping[str, bool]] = {"vendor": True}
    checkout_fields: ClassVar[Mapping[str, str]] = {
        "utm_source": "utm_source",
        "utm_medium": "utm_medium",
        "utm_campaign": "utm_campaign",
        "utm_content": "utm_content",
        "utm_term": "utm_term",
        "tracker1": "click_id",
        "tracker2": "fbclid",
    }
    loses: ClassVar[Mapping[str, frozenset[str]]] = {"trackers": frozenset({"click"})}
    """By switch: what nobody can tell any more when it is thrown."""
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Webhook v2 (`trans_cod` …), which ended in 2026; subscriptions (`myeduzz.contract_*`), Nutror and Blinket.",
        "How a renewal is told: it is `invoice_paid` of a contract, and by which field is not public.",
        "Partial refunds (the status `partialRefund` is documented, its event and amount are not).",
        "Affiliates, coproducers, the student who is not the buyer, coupons, `producer.originSecret`.",
        "The schedule of re-deliveries, and what Eduzz sends to verify an address.",
    )

    cellphone_field: Literal["cellphone", "phone"] = "cellphone"
    """[?] Where the one number of a buyer stands; both are documented."""
    trackers: bool = True
    """[?] `data.tracker` (code1, code2, code3) is seen in one integrator's notes only; off: what rode in it is lost."""
    user_agent: str = "golive-fake-eduzz"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _EVENTS

    def sale_id(self, order: Order) -> str:
        """`data.id`, the invoice's: digits, as a text (examples have eight; with 14, none of ours meets another)."""
        return str(shapes.number(14, "eduzz/invoice", order.key))

    def new_secret(self, seed: str) -> str:
        """An access key of a webhook configuration; its shape is not public."""
        return "edz" + shapes.code(_LOWER, 37, "eduzz/secret", seed)

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:  # noqa: ARG002 -- FakeGateway
        """The body of one event; amounts in major units, times in ISO 8601 with milliseconds, UTC.

        Raises:
            UnknownName: no such dialect, or no such event in it.
        """
        spec = _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        data = self._cart(order) if event == "abandoned" else self._invoice(order, _TOLD[event])
        return compact(
            {
                "id": shapes.code(_LOWER, 25, "eduzz/delivery", order.key, event),
                "event": spec.vendor_name,
                "data": data,
                "sentDate": _iso(now_s),
            }
        )

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:  # noqa: ARG002 -- FakeGateway
        """`x-signature: <lower-case hex of HMAC-SHA256(secret, body)>`, without a prefix."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent, "x-signature": mac}
        return Webhook(url=url, headers=headers, body=body)

    def _invoice(self, order: Order, told: _Told) -> dict[str, Any]:
        price = {"currency": order.currency, "value": shapes.shortest(order.amount)}
        data = {
            "id": self.sale_id(order),
            "status": told.status,
            "buyer": self._buyer(order),
            "producer": {"id": str(shapes.number(8, "eduzz/producer")), "name": "Produtora", "email": "eu@example.com"},
            "utm": {key: order.tracking.get(f"utm_{key}") for key in _UTM_KEYS},
            "createdAt": _iso(order.created_at_s),
            "dueDate": _iso(order.created_at_s + 86_400),
            "paidAt": _iso(order.paid_at_s) if told.paid else None,
            "price": price,
            "paid": price if told.paid else None,
            "paymentMethod": _METHODS[order.method or "card"],
            "installments": 1,
            "items": [{"productId": order.product_id, "name": order.product_name, "price": price}],
        }
        if self.trackers:
            known = order.tracking
            data["tracker"] = {"code1": known.get("click_id"), "code2": known.get("fbclid"), "code3": None}
        return data

    def _buyer(self, order: Order) -> dict[str, Any]:
        buyer = order.buyer
        return {
            "id": str(shapes.number(8, "eduzz/buyer", buyer.identity)),
            "name": buyer.full_name,
            "email": buyer.email,
            "document": buyer.document,
            "phone": None,
            "phone2": None,
            "cellphone": None,
            self.cellphone_field: buyer.phone_e164,
            "address": {"city": buyer.city, "state": buyer.state, "country": buyer.country, "zipCode": buyer.zip_code},
        }

    @staticmethod
    def _cart(order: Order) -> dict[str, Any]:
        """An abandoned cart: only that it names the buyer and a product is certain."""
        return {
            "buyer": {"name": order.buyer.full_name, "email": order.buyer.email, "cellphone": order.buyer.phone_e164},
            "items": [{"productId": order.product_id, "name": order.product_name}],
        }


def _iso(at_s: int) -> str:
    return shapes.iso_z(at_s).replace("Z", ".000Z")
