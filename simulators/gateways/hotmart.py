"""Fake Hotmart: webhook 2.0.0 with its static token, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 1 (captured
panel tests and one real sale). What is uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _hotmart_bodies as bodies
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact
from simulators.people import Method, Order

UNPLACED = "unplaced"
"""In the place of an event's name: the documentation has the status, and nobody says which event carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Hotmart tells one event: its name, and `purchase.status` in its two spellings."""

    event: str
    outcome: Outcome = "ignored"
    captured: str = ""
    documented: str = ""
    paid: bool = False
    """Whether the body carries `approved_date`."""
    partial: bool = False
    method: Method | None = None
    """How it is paid where the order does not say; None: by card or Pix."""
    cycle: int | None = None
    """Which charge of a subscription it is where the order does not say."""
    subscription: str = "ACTIVE"
    """`subscription.status` [?], if there is one."""
    about: str = ""
    uncertain: bool = False


_PURCHASES = {
    "approved": _Told(event="PURCHASE_APPROVED", outcome="purchase", captured="APPROVED", paid=True),
    "complete": _Told(
        event="PURCHASE_COMPLETE",
        outcome="purchase",
        captured="COMPLETED",
        documented="COMPLETE",
        paid=True,
        about="the same sale weeks later, when its guarantee is over",
    ),
    "subscribed": _Told(
        event="PURCHASE_APPROVED",
        outcome="purchase",
        captured="APPROVED",
        paid=True,
        cycle=1,
        about="the first charge of a subscription",
    ),
    "renewed": _Told(
        event="PURCHASE_APPROVED",
        outcome="purchase",
        captured="APPROVED",
        paid=True,
        cycle=2,
        about="a later charge: recurrence_number above 1, a transaction of its own [?]",
    ),
    "order_bump": _Told(
        event="PURCHASE_APPROVED",
        outcome="purchase",
        captured="APPROVED",
        paid=True,
        about="a sale of its own that names the transaction of its main order",
    ),
    "pending": _Told(
        event="PURCHASE_BILLET_PRINTED",
        captured="BILLET_PRINTED",
        documented="PRINTED_BILLET",
        method="boleto",
        subscription="STARTED",
    ),
    "pending_pix": _Told(
        event=UNPLACED, captured="WAITING_PAYMENT", method="pix", subscription="STARTED", uncertain=True
    ),
    "delayed": _Told(
        event="PURCHASE_DELAYED", captured="OVERDUE", method="boleto", subscription="OVERDUE", uncertain=True
    ),
    "renewal_delayed": _Told(
        event="PURCHASE_DELAYED",
        captured="OVERDUE",
        cycle=2,
        subscription="DELAYED",
        about="a charge of a subscription is late",
        uncertain=True,
    ),
    "refused": _Told(event="PURCHASE_CANCELED", captured="CANCELED", documented="CANCELLED", subscription="INACTIVE"),
    "no_funds": _Told(event="PURCHASE_CANCELED", captured="NO_FUNDS", subscription="INACTIVE", uncertain=True),
    "blocked": _Told(event="PURCHASE_CANCELED", captured="BLOCKED", subscription="INACTIVE", uncertain=True),
    "started": _Told(event=UNPLACED, captured="STARTED", subscription="STARTED", uncertain=True),
    "processing": _Told(event=UNPLACED, captured="PROCESSING_TRANSACTION", subscription="STARTED", uncertain=True),
    "in_review": _Told(event=UNPLACED, captured="UNDER_ANALISYS", subscription="STARTED", uncertain=True),
    "pre_order": _Told(event=UNPLACED, captured="PRE_ORDER", subscription="STARTED", uncertain=True),
    "expired": _Told(event="PURCHASE_EXPIRED", captured="EXPIRED", method="boleto", subscription="EXPIRED"),
    "protest": _Told(
        event="PURCHASE_PROTEST", outcome="reversal", captured="DISPUTE", paid=True, about="the buyer wants it back"
    ),
    "refunded": _Told(event="PURCHASE_REFUNDED", outcome="reversal", captured="REFUNDED", paid=True),
    "partly_refunded": _Told(
        event="PURCHASE_REFUNDED",
        outcome="reversal",
        partial=True,
        captured="PARTIALLY_REFUNDED",
        paid=True,
        about="a part went back, and nothing says how much",
        uncertain=True,
    ),
    "partly_refunded_again": _Told(
        event="PURCHASE_REFUNDED",
        outcome="reversal",
        partial=True,
        captured="PARTIALLY_REFUNDED",
        paid=True,
        about="another part: the same body under another delivery id",
        uncertain=True,
    ),
    "chargeback": _Told(
        event="PURCHASE_CHARGEBACK",
        outcome="reversal",
        captured="CHARGEBACK",
        paid=True,
        subscription="CANCELLED_BY_ADMIN",
    ),
}
_OTHERS = {
    "abandoned": _Told(event="PURCHASE_OUT_OF_SHOPPING_CART", about="its body was never captured", uncertain=True),
    "subscription_canceled": _Told(event="SUBSCRIPTION_CANCELLATION"),
    "plan_switched": _Told(event="SWITCH_PLAN"),
    "charge_date_updated": _Told(event="UPDATE_SUBSCRIPTION_CHARGE_DATE"),
    "club_first_access": _Told(event="CLUB_FIRST_ACCESS"),
    "club_module_completed": _Told(event="CLUB_MODULE_COMPLETED"),
}
_TOLD = _PURCHASES | _OTHERS

_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="approved", outcome="purchase"),
    "refused": Event(name="refused", vendor_name="rejected", outcome="ignored"),
}


@cache
def _vendor_events(unplaced: str, partial_refund: str) -> Mapping[str, Event]:
    return {
        name: Event(
            name=name,
            vendor_name=_event_name(told, unplaced, partial_refund),
            outcome=told.outcome,
            partial=told.partial,
            about=told.about,
            uncertain=told.uncertain,
        )
        for name, told in _TOLD.items()
    }


def _event_name(told: _Told, unplaced: str, partial_refund: str) -> str:
    if told.event == UNPLACED:
        return unplaced
    return partial_refund if told.partial else told.event


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Hotmart. The vendor dialect authenticates no body: its token only says that the sender knows the token."""

    name: ClassVar[str] = "hotmart"
    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")
    authenticates_body: ClassVar[Mapping[str, bool]] = {"plan": True, "vendor": False}
    checkout_fields: ClassVar[Mapping[str, str]] = {"src": "src", "sck": "fbclid", "xcod": "click_id"}
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Re-delivery by itself: a run, or `golive trigger --retries`, does it, by a schedule that is ours.",
        "Version 1.0.0, ORDER_FULFILLMENT (whose body nobody captured), physical goods, commissions of ADDON.",
        "How much went back in a partial refund: no capture shows one, so the price stays. That a free order says so.",
        "Hotmart's own User-Agent and further request headers, which are not public.",
        "The panel's test button, which re-uses one transaction for every event.",
    )

    status_spelling: Literal["captured", "documented"] = "captured"
    """[!] Captures say COMPLETED, CANCELED, BILLET_PRINTED where the documentation says COMPLETE and so on."""
    hottok_in_body: bool = False
    """[!] Seen in bodies of 2022 and 2024, absent from most of 2025. The header is sent always."""
    phone_code: Literal["country", "area", "absent"] = "country"
    """[?] Whether `checkout_phone_code` is 55 or the area code; `absent` leaves both phone fields out, as seen in a
    real sale."""
    own_sck: str = "HOTMART_CHECKOUT"
    """What stands in `origin.sck` when the link brought none [CODE]; empty: the key is absent."""
    third_key: Literal["xcod", "xcode"] = "xcod"
    """[!] The 2.0.0 page and real sales spell xcod, a changelog entry of 2024-04-25 xcode."""
    unplaced_event: str = "PURCHASE_DELAYED"
    """[?] Which event carries the statuses that are documented without one: STARTED, PRE_ORDER, WAITING_PAYMENT,
    PROCESSING_TRANSACTION, UNDER_ANALISYS. One reading of DELAYED is "Pix or boleto pending"."""
    partial_refund_event: str = "PURCHASE_REFUNDED"
    """[?] Which event carries the documented status PARTIALLY_REFUNDED."""
    whole_address: bool = True
    """[!] Captures have all of it; one of 2024 has country and country_iso only."""
    recollected_fields: bool = False
    """[?] A boleto's URL and barcode and the reason of a refusal, whose names are known by recollection only."""
    reversals_keep_origin: bool = True
    """[?] Refunds and chargebacks may come without `origin`."""
    user_agent: str = "golive-fake-hotmart"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _PLAN_EVENTS if dialect == "plan" else _vendor_events(self.unplaced_event, self.partial_refund_event)

    def sale_id(self, order: Order) -> str:
        """`purchase.transaction`, in both dialects: HP and 14 digits (captures show 10 and 14)."""
        return _transaction(order.key)

    def new_secret(self, seed: str) -> str:
        """A hottok: 40 letters and digits."""
        return shapes.code(shapes.ALNUM, 40, "hotmart/hottok", seed)

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:  # noqa: ARG002 -- FakeGateway
        """The body of one event; amounts in major units, times in ms since 1970 (plan: ISO 8601).

        Raises:
            UnknownName: no such dialect, or no such event in it.
        """
        _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        if dialect == "plan":
            return self._plan_body(order, event)
        told = _TOLD[event]
        late = told.outcome == "reversal" or event == "complete" or event in _OTHERS
        happened_s = now_s if late else order.paid_at_s if told.paid else order.created_at_s
        envelope: dict[str, Any] = {
            "id": shapes.uuid4_shaped("hotmart/delivery", order.key, event),
            "creation_date": happened_s * 1000,
            "event": _event_name(told, self.unplaced_event, self.partial_refund_event),
            "version": "2.0.0",
            "data": self._purchase_data(order, event)
            if event in _PURCHASES
            else bodies.other_data(order, event, now_s),
        }
        if self.hottok_in_body:
            envelope["hottok"] = secret
        return compact(envelope)

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:  # noqa: ARG002 -- FakeGateway
        """Vendor: `X-HOTMART-HOTTOK: <token>`, whatever the body. Plan: HMAC-SHA256 over the body."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        if dialect == "plan":
            return _plan.sign(body, secret=secret, url=url)
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent, "X-HOTMART-HOTTOK": secret}
        return Webhook(url=url, headers=headers, body=body)

    def _plan_body(self, order: Order, event: str) -> bytes:
        happened_s = order.paid_at_s if event == "approved" else order.created_at_s
        fields = {
            "order_id": self.sale_id(order),
            "customer": _plan.contact(order),
            "amount": _plan.amount(order),
            "currency": order.currency,
            "status": _PLAN_EVENTS[event].vendor_name,
            "event_time": shapes.iso_z(happened_s),
            "product_id": order.product_id,
        }
        return _plan.render(order, fields)

    def _purchase_data(self, order: Order, event: str) -> dict[str, Any]:
        told = _PURCHASES[event]
        order = replace(order, cycle=order.cycle or told.cycle)
        data = {
            "product": bodies.product(order),
            "affiliates": bodies.affiliates(order),
            "buyer": self._buyer(order),
            "producer": {"name": "Produtora Golive", "document": "00000000000191", "legal_nature": "Pessoa Jurídica"},
            "commissions": bodies.commissions(order),
            "purchase": self._purchase(order, event),
        }
        if order.cycle:
            data["subscription"] = bodies.subscription(order, told.subscription)
        return data

    def _buyer(self, order: Order) -> dict[str, Any]:
        buyer = order.buyer
        who = {
            "email": buyer.email,
            "name": buyer.full_name,
            "first_name": buyer.first_name,
            "last_name": buyer.last_name,
            "document": buyer.document,
            "document_type": buyer.document_type,
        }
        country = {"country": bodies.COUNTRY_NAMES.get(buyer.country, buyer.country), "country_iso": buyer.country}
        if not self.whole_address:
            return {**who, **self._phone(order), "address": country}
        address = {
            "zipcode": buyer.zip_code,
            **country,
            "state": buyer.state,
            "city": buyer.city,
            # A digital sale asks for no street.
            "neighborhood": "",
            "address": "",
            "number": "",
            "complement": "",
        }
        return {**who, **self._phone(order), "address": address}

    def _phone(self, order: Order) -> dict[str, str]:
        digits = (order.buyer.phone_e164 or "").removeprefix("+")
        if not digits or self.phone_code == "absent":
            return {}
        if not digits.startswith("55"):
            return {"checkout_phone": digits}
        cut = 2 if self.phone_code == "country" else 4
        return {"checkout_phone_code": digits[cut - 2 : cut], "checkout_phone": digits[cut:]}

    def _purchase(self, order: Order, event: str) -> dict[str, Any]:
        told = _PURCHASES[event]
        spelled = told.documented if self.status_spelling == "documented" and told.documented else told.captured
        count = bodies.installments(order)
        payment = bodies.payment(order, told.method, count)
        if self.recollected_fields:
            payment |= bodies.recollected(order, payment["type"], refused=told.event == "PURCHASE_CANCELED")
        purchase: dict[str, Any] = {
            "transaction": self.sale_id(order),
            "status": spelled,
            "order_date": order.created_at_s * 1000,
            "approved_date": order.paid_at_s * 1000,
            "price": bodies.price(order, order.amount),
            "full_price": bodies.price(order, bodies.with_interest(order, count)),
            "original_offer_price": bodies.price(order, order.amount),
            "payment": payment,
            "offer": {"code": shapes.code(shapes.ALNUM, 8, "hotmart/offer", order.product_id).lower()},
            "checkout_country": bodies.checkout_country(order),
            "order_bump": {"is_order_bump": False},
            "sckPaymentLink": "",
            "recurrence_number": order.cycle or 1,
            "subscription_anticipation_purchase": False,
            "invoice_by": "SELLER",
            "is_funnel": False,
            "business_model": "I",
            "buyer_ip": order.buyer.ip_address,
        }
        if not told.paid:
            del purchase["approved_date"]
        if event == "order_bump" or order.parent_key:
            parent = _transaction(order.parents_key)
            purchase["order_bump"] = {"is_order_bump": True, "parent_purchase_transaction": parent}
        if order.cycle:
            purchase["date_next_charge"] = (order.paid_at_s + 30 * bodies.DAY_S) * 1000
        if origin := self._origin(order, told.outcome):
            purchase["origin"] = origin
        return purchase

    def _origin(self, order: Order, outcome: Outcome) -> dict[str, str]:
        """`xcod` brings the click id back and `sck` the fbclid (contracts.md), or what the link itself had there; utm_*
        do not survive the checkout."""
        if outcome == "reversal" and not self.reversals_keep_origin:
            return {}
        known = order.tracking
        found = {
            "src": known.get("src"),
            "sck": known.get("fbclid") or known.get("sck") or self.own_sck,
            self.third_key: known.get("click_id") or known.get("xcod"),
        }
        return {key: value for key, value in found.items() if value}


def _transaction(key: str) -> str:
    return f"HP{shapes.number(14, 'hotmart/transaction', key)}"
