"""Fake Hotmart: webhook 2.0.0 with its static token, and the plan's own HMAC dialect.

Does not imitate: see `Gateway.does_not_imitate`. Source of the vendor dialect: facts/gateways.md section 1 (captured
panel tests and one real sale). What is uncertain there is a switch of `Gateway`, with its confidence mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact
from simulators.people import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Hotmart tells one event: its name, and `purchase.status` in its two spellings."""

    event: str
    outcome: Outcome
    captured: str = ""
    documented: str = ""
    paid: bool = False
    """Whether the body carries `approved_date`."""


_PURCHASES = {
    "approved": _Told(event="PURCHASE_APPROVED", outcome="purchase", captured="APPROVED", paid=True),
    "complete": _Told(
        event="PURCHASE_COMPLETE", outcome="purchase", captured="COMPLETED", documented="COMPLETE", paid=True
    ),
    "renewed": _Told(event="PURCHASE_APPROVED", outcome="purchase", captured="APPROVED", paid=True),
    "order_bump": _Told(event="PURCHASE_APPROVED", outcome="purchase", captured="APPROVED", paid=True),
    "pending": _Told(
        event="PURCHASE_BILLET_PRINTED", outcome="ignored", captured="BILLET_PRINTED", documented="PRINTED_BILLET"
    ),
    "delayed": _Told(event="PURCHASE_DELAYED", outcome="ignored", captured="OVERDUE"),
    "refused": _Told(event="PURCHASE_CANCELED", outcome="ignored", captured="CANCELED", documented="CANCELLED"),
    "expired": _Told(event="PURCHASE_EXPIRED", outcome="ignored", captured="EXPIRED"),
    "protest": _Told(event="PURCHASE_PROTEST", outcome="reversal", captured="DISPUTE", paid=True),
    "refunded": _Told(event="PURCHASE_REFUNDED", outcome="reversal", captured="REFUNDED", paid=True),
    "chargeback": _Told(event="PURCHASE_CHARGEBACK", outcome="reversal", captured="CHARGEBACK", paid=True),
}
_OTHERS = {
    "abandoned": _Told(event="PURCHASE_OUT_OF_SHOPPING_CART", outcome="ignored"),
    "subscription_canceled": _Told(event="SUBSCRIPTION_CANCELLATION", outcome="ignored"),
    "plan_switched": _Told(event="SWITCH_PLAN", outcome="ignored"),
    "charge_date_updated": _Told(event="UPDATE_SUBSCRIPTION_CHARGE_DATE", outcome="ignored"),
    "club_first_access": _Told(event="CLUB_FIRST_ACCESS", outcome="ignored"),
    "club_module_completed": _Told(event="CLUB_MODULE_COMPLETED", outcome="ignored"),
}
_TOLD = _PURCHASES | _OTHERS

_VENDOR_EVENTS = {name: Event(name=name, vendor_name=told.event, outcome=told.outcome) for name, told in _TOLD.items()}
_PLAN_EVENTS = {
    "approved": Event(name="approved", vendor_name="approved", outcome="purchase"),
    "refused": Event(name="refused", vendor_name="rejected", outcome="ignored"),
}
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Hotmart. The vendor dialect authenticates no body: its token only says that the sender knows the token."""

    name: ClassVar[str] = "hotmart"
    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")
    authenticates_body: ClassVar[Mapping[str, bool]] = {"plan": True, "vendor": False}
    checkout_fields: ClassVar[Mapping[str, str]] = {"src": "src", "sck": "fbclid", "xcod": "click_id"}
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Re-delivery, the automatic deactivation of a failing URL, and delivery out of order.",
        "Version 1.0.0, ORDER_FULFILLMENT, affiliates and co-producers, physical goods, boleto links.",
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
    reversals_keep_origin: bool = True
    """[?] Refunds and chargebacks may come without `origin`."""
    user_agent: str = "golive-fake-hotmart"
    """[?] The real one is not public."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events of that dialect, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _PLAN_EVENTS if dialect == "plan" else _VENDOR_EVENTS

    def sale_id(self, order: Order) -> str:
        """`purchase.transaction`, in both dialects: HP and 14 digits (captures show 10 and 14)."""
        return f"HP{shapes.number(14, 'hotmart/transaction', order.key)}"

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
            "event": told.event,
            "version": "2.0.0",
            "data": self._purchase_data(order, event) if event in _PURCHASES else _other_data(order, event, now_s),
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
        data = {
            "product": _product(order),
            "affiliates": [{"affiliate_code": "", "name": ""}],
            "buyer": self._buyer(order),
            "producer": {"name": "Produtora Golive", "document": "00000000000191", "legal_nature": "Pessoa Jurídica"},
            "commissions": _commissions(order),
            "purchase": self._purchase(order, event),
        }
        if event == "renewed":
            data["subscription"] = {"status": "ACTIVE", "plan": _subscription_plan(order), "subscriber": _code(order)}
        return data

    def _buyer(self, order: Order) -> dict[str, Any]:
        buyer = order.buyer
        who = {
            "email": buyer.email,
            "name": buyer.full_name,
            "first_name": buyer.first_name,
            "last_name": buyer.last_name,
            "document": buyer.document,
            "document_type": "CPF",
        }
        address = {
            "zipcode": buyer.zip_code,
            "country": _COUNTRY_NAMES.get(buyer.country, buyer.country),
            "country_iso": buyer.country,
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
        installments = _installments(order)
        purchase: dict[str, Any] = {
            "transaction": self.sale_id(order),
            "status": spelled,
            "order_date": order.created_at_s * 1000,
            "approved_date": order.paid_at_s * 1000,
            "price": _price(order, order.amount),
            "full_price": _price(order, _with_interest(order, installments)),
            "original_offer_price": _price(order, order.amount),
            "payment": _payment(order, event, installments),
            "offer": {"code": shapes.code(shapes.ALNUM, 8, "hotmart/offer", order.product_id).lower()},
            "checkout_country": _checkout_country(order),
            "order_bump": {"is_order_bump": False},
            "sckPaymentLink": "",
            "recurrence_number": 1,
            "subscription_anticipation_purchase": False,
            "invoice_by": "SELLER",
            "is_funnel": False,
            "business_model": "I",
            "buyer_ip": order.buyer.ip_address,
        }
        if not told.paid:
            del purchase["approved_date"]
        if event == "order_bump":
            parent = f"HP{shapes.number(14, 'hotmart/parent', order.key)}"
            purchase["order_bump"] = {"is_order_bump": True, "parent_purchase_transaction": parent}
        if event == "renewed":
            purchase |= {"recurrence_number": 2, "date_next_charge": (order.paid_at_s + 30 * _DAY_S) * 1000}
        if origin := self._origin(order, told.outcome):
            purchase["origin"] = origin
        return purchase

    def _origin(self, order: Order, outcome: Outcome) -> dict[str, str]:
        """`xcod` brings the click id back and `sck` the fbclid (contracts.md); utm_* do not survive the checkout."""
        if outcome == "reversal" and not self.reversals_keep_origin:
            return {}
        known = order.tracking
        found = {"src": known.get("src"), "sck": known.get("fbclid", self.own_sck), "xcod": known.get("click_id")}
        return {key: value for key, value in found.items() if value}


_COUNTRY_NAMES = {"BR": "Brasil", "PT": "Portugal", "US": "Estados Unidos"}


def _installments(order: Order) -> int:
    return 12 if shapes.number(2, "hotmart/installments", order.key) % 3 == 0 else 1


def _with_interest(order: Order, installments: int) -> Decimal:
    """What the buyer pays in the end [?]: in instalments more than the price, which is what the seller sold for."""
    if installments == 1:
        return order.amount
    cent = Decimal(1).scaleb(-shapes.exponent(order.currency))
    return (order.amount * Decimal("1.1998")).quantize(cent, rounding=ROUND_HALF_UP)


def _price(order: Order, amount: Decimal) -> dict[str, Any]:
    return {"value": shapes.shortest(amount), "currency_value": order.currency}


def _payment(order: Order, event: str, installments: int) -> dict[str, Any]:
    if event in {"pending", "delayed", "expired"}:
        return {"type": "BILLET", "installments_number": 1}
    if installments > 1 or shapes.number(2, "hotmart/payment", order.key) % 2:
        return {"type": "CREDIT_CARD", "installments_number": installments}
    # PIX is in no documented list and in every real Brazilian account.
    pix = shapes.code(shapes.ALNUM, 32, "hotmart/pix", order.key)
    return {
        "type": "PIX",
        "installments_number": 1,
        "pix_qrcode": f"https://pix.example.com/{pix}.png",
        "pix_code": f"00020126580014br.gov.bcb.pix0136{pix}",
        "pix_expiration_date": (order.created_at_s + 2 * _DAY_S) * 1000,
    }


def _commissions(order: Order) -> list[dict[str, Any]]:
    """Hotmart's fee of 9.9 % (rounded to the currency's unit) and the producer's rest."""
    cent = Decimal(1).scaleb(-shapes.exponent(order.currency))
    fee = (order.amount * Decimal("0.099")).quantize(cent, rounding=ROUND_HALF_UP)
    shares = (("MARKETPLACE", fee), ("PRODUCER", order.amount - fee))
    return [
        {"value": shapes.shortest(share), "source": source, "currency_value": order.currency}
        for source, share in shares
    ]


def _product(order: Order) -> dict[str, Any]:
    ucode = shapes.uuid4_shaped("hotmart/product", order.product_id)
    short = {**_short_product(order), "ucode": ucode}
    return {
        **short,
        "warranty_date": shapes.iso_z((order.paid_at_s // _DAY_S + 7) * _DAY_S),
        "support_email": "suporte@produtora.example.com",
        "has_co_production": False,
        "is_physical_product": False,
        "content": {"has_physical_products": False, "products": [{**short, "is_physical_product": False}]},
    }


def _short_product(order: Order) -> dict[str, Any]:
    return {"id": shapes.number(7, "hotmart/product", order.product_id), "name": order.product_name}


def _subscription_plan(order: Order) -> dict[str, Any]:
    return {"id": shapes.number(6, "hotmart/plan", order.product_id), "name": "Plano mensal"}


def _code(order: Order) -> dict[str, str]:
    """The subscriber: one buyer's, in every cycle of one product."""
    return {"code": shapes.code(shapes.UPPER, 8, "hotmart/subscriber", order.buyer.document, order.product_id)}


def _checkout_country(order: Order) -> dict[str, str]:
    return {"name": _COUNTRY_NAMES.get(order.buyer.country, order.buyer.country), "iso": order.buyer.country}


def _other_data(order: Order, event: str, now_s: int) -> dict[str, Any]:
    """`data` of the events that are no purchase; as captured (facts 1.7), the abandoned cart [?] as described."""
    user, product = {"name": order.buyer.full_name, "email": order.buyer.email}, _short_product(order)
    bodies: dict[str, dict[str, Any]] = {
        "abandoned": {
            "affiliate": False,
            "product": product,
            "buyer": {**user, "phone": _national_phone(order)},
            "offer": {"code": shapes.code(shapes.ALNUM, 8, "hotmart/offer", order.product_id).lower()},
            "checkout_country": _checkout_country(order),
        },
        "club_first_access": {"product": product, "user": user},
        "club_module_completed": {
            "product": {**product, "id": str(product["id"])},
            "user": user,
            "module": {"id": "0a1b2c", "name": "Módulo 1"},
        },
    }
    return bodies[event] if event in bodies else _subscription_data(order, event, now_s)


def _subscription_data(order: Order, event: str, now_s: int) -> dict[str, Any]:
    """`data` of the events about a subscription: no transaction in any of them."""
    plan, code, product = _subscription_plan(order), _code(order), _short_product(order)
    subscriber = {**code, "name": order.buyer.full_name, "email": order.buyer.email}
    next_s, phone = order.paid_at_s + 30 * _DAY_S, _national_phone(order)
    bodies: dict[str, dict[str, Any]] = {
        "subscription_canceled": {
            "date_next_charge": next_s * 1000,
            "cancellation_date": now_s * 1000,
            "actual_recurrence_value": shapes.shortest(order.amount),
            "product": product,
            "subscriber": {
                **subscriber,
                "phone": {"dddPhone": "", "phone": "", "dddCell": phone[:2], "cell": phone[2:]},
            },
            "subscription": {"id": shapes.number(8, "hotmart/subscription", order.key), "plan": plan},
        },
        "plan_switched": {
            "switch_plan_date": now_s * 1000,
            "plans": [{**plan, "current": True, "offer": {"key": "abc12345"}}],
            "subscription": {"subscriber_code": code["code"], "status": "ACTIVE", "product": product}
            | {"user": {"email": order.buyer.email}},
        },
        "charge_date_updated": {
            "subscriber": subscriber,
            "subscription": {"product": product, "status": "ACTIVE", "old_charge_day": 5, "new_charge_day": 20}
            | {"date_next_charge": shapes.iso_z(next_s)},
            "plan": {**plan, "offer": {"code": "abc12345"}},
        },
    }
    return bodies[event]


def _national_phone(order: Order) -> str:
    return (order.buyer.phone_e164 or "").removeprefix("+55")
