"""Fake Stripe: snapshot events with the v1 signature. Stripe has one dialect, `vendor`.

Does not imitate: see `Gateway.does_not_imitate`. Source: facts/gateways.md section 4; the official SDK's
`Webhook.construct_event` judges it in tests/contract/test_fake_gateways.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import pretty
from simulators.people import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The event type, and what of the payment intent or charge differs in it."""

    type: str
    outcome: Outcome
    status: str = "succeeded"
    """Of the object inside."""
    late: bool = False
    """Whether it happens now, rather than when the order was made or paid."""


_TOLD = {
    "approved": _Told(type="payment_intent.succeeded", outcome="purchase"),
    "created": _Told(type="payment_intent.created", outcome="ignored", status="requires_payment_method"),
    "pending": _Told(type="payment_intent.processing", outcome="ignored", status="processing"),
    "requires_action": _Told(type="payment_intent.requires_action", outcome="ignored", status="requires_action"),
    "refused": _Told(type="payment_intent.payment_failed", outcome="ignored", status="requires_payment_method"),
    "canceled": _Told(type="payment_intent.canceled", outcome="ignored", status="canceled"),
    "charge_succeeded": _Told(type="charge.succeeded", outcome="ignored"),
    "charge_failed": _Told(type="charge.failed", outcome="ignored", status="failed"),
    "refunded": _Told(type="charge.refunded", outcome="reversal", late=True),
    "refund_created": _Told(type="refund.created", outcome="reversal", late=True),
    "chargeback": _Told(type="charge.dispute.created", outcome="reversal", status="needs_response", late=True),
    "checkout_completed": _Told(type="checkout.session.completed", outcome="ignored", status="complete"),
    "abandoned": _Told(type="checkout.session.expired", outcome="ignored", status="expired"),
}
_EVENTS = {name: Event(name=name, vendor_name=told.type, outcome=told.outcome) for name, told in _TOLD.items()}

# docs.stripe.com/currencies: ISK and UGX are written with two decimals although they have none.
_ZERO_DECIMAL = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMAL = "BHD JOD KWD OMR TND"
_METADATA_KEYS, _METADATA_KEY_CHARS, _METADATA_VALUE_CHARS = 50, 40, 500
_UNPAID = frozenset({"requires_payment_method", "requires_action", "canceled", "processing"})
_DAY_S = 86_400
# Fields of a payment intent that are null in a plain card sale.
_INTENT_NULLS = (
    "application",
    "application_fee_amount",
    "customer",
    "on_behalf_of",
    "payment_method_configuration_details",
    "review",
    "setup_future_usage",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Stripe. The signature covers the time and the body."""

    name: ClassVar[str] = "stripe"
    dialects: ClassVar[tuple[str, ...]] = ("vendor",)
    authenticates_body: ClassVar[Mapping[str, bool]] = {"vendor": True}
    checkout_fields: ClassVar[Mapping[str, str]] = {
        f"metadata[{one}]": one for one in ("click_id", "fbclid", "fbp", "fbc")
    }
    does_not_imitate: ClassVar[tuple[str, ...]] = (
        "Re-delivery over three days, several Event objects for one change, thin (v2) events, Connect accounts.",
        "Invoices and subscriptions, partial captures and refunds, other payment methods than a card.",
        "The fields that only other API versions than api_version have; the v0 signature is random, not computed.",
    )

    livemode: bool = True
    """False: a test-mode event, whose header has a meaningless `v0` as well."""
    old_secret: str | None = None
    """The secret that is being rolled out of use: signs too, in a `v1` of its own, before the new one's."""
    api_version: str = "2025-10-29.clover"
    """The version that the endpoint is pinned to."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _EVENTS

    def sale_id(self, order: Order) -> str:
        """The payment intent's id: pi_ and 24 letters and digits."""
        return _id("pi_", order)

    def new_secret(self, seed: str) -> str:
        """An endpoint secret: whsec_ and 32 letters and digits, used whole and never decoded."""
        return "whsec_" + shapes.code(shapes.ALNUM, 32, "stripe/secret", seed)

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:  # noqa: ARG002 -- FakeGateway
        """One Event; amounts in minor units by Stripe's own list of currencies, times in seconds since 1970.

        Raises:
            UnknownName: no such dialect or event.
            ValueError: an amount finer than the currency allows.
        """
        _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        told = _TOLD[event]
        paid = told.status == "succeeded" or event == "checkout_completed"
        happened_s = now_s if told.late else order.paid_at_s if paid else order.created_at_s
        families = {
            "payment_intent": self._intent,
            "charge": self._charge,
            "refund": self._refund,
            "charge.dispute": self._dispute,
            "checkout.session": self._session,
        }
        build = families[told.type.rpartition(".")[0]]
        return pretty(
            {
                "id": f"evt_1{shapes.code(shapes.ALNUM, 23, 'stripe/evt', order.key, event)}",
                "object": "event",
                "api_version": self.api_version,
                "created": happened_s,
                "data": {"object": build(order, told, happened_s)},
                "livemode": self.livemode,
                "pending_webhooks": 1,
                "request": {
                    "id": f"req_{shapes.code(shapes.ALNUM, 14, 'stripe/req', order.key, event)}",
                    "idempotency_key": shapes.uuid4_shaped("stripe/idempotency", order.key, event),
                },
                "type": told.type,
            }
        )

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:
        """`Stripe-Signature: t=<now>,v1=<HMAC-SHA256 hex of "t.body">`, made anew for every attempt."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        secrets = [secret] if self.old_secret is None else [self.old_secret, secret]
        message = f"{now_s}.".encode() + body
        macs = [hmac.new(one.encode(), message, hashlib.sha256).hexdigest() for one in secrets]
        items = [f"t={now_s}", *(f"v1={mac}" for mac in macs)]
        if not self.livemode:
            items.append(f"v0={shapes.code(shapes.DIGITS + 'abcdef', 64, 'stripe/v0', macs[0])}")
        headers = {
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "*/*; q=0.5, application/xml",
            "Accept-Encoding": "gzip",
            "Cache-Control": "no-cache",
            "Stripe-Signature": ",".join(items),
        }
        return Webhook(url=url, headers=headers, body=body)

    def _intent(self, order: Order, told: _Told, happened_s: int) -> dict[str, Any]:
        amount, unpaid = _minor(order), told.status in _UNPAID
        begun = told.type not in {"payment_intent.created", "payment_intent.canceled"}
        told_fields = {
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0 if unpaid else amount,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
            "canceled_at": happened_s if told.status == "canceled" else None,
            "cancellation_reason": "abandoned" if told.status == "canceled" else None,
            "capture_method": "automatic_async",
            "client_secret": f"{_id('pi_', order)}_secret_{shapes.code(shapes.ALNUM, 25, 'stripe/client', order.key)}",
            "confirmation_method": "automatic",
            "created": order.created_at_s,
            "currency": order.currency.lower(),
            "description": order.product_name,
            "last_payment_error": _decline(order) if told.type.endswith("payment_failed") else None,
            "latest_charge": _id("ch_", order) if begun and told.status != "requires_action" else None,
            "livemode": self.livemode,
            "metadata": _metadata(order),
            "next_action": {"type": "use_stripe_sdk"} if told.status == "requires_action" else None,
            "payment_method": _id("pm_", order) if begun and not told.type.endswith("payment_failed") else None,
            "payment_method_options": {"card": {"installments": None, "request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "processing": {"type": "card"} if told.status == "processing" else None,
            "receipt_email": order.buyer.email,
            "status": told.status,
        }
        # Stripe prints id and object first, the rest by the alphabet.
        rest = dict(sorted((told_fields | dict.fromkeys(_INTENT_NULLS)).items()))
        return {"id": self.sale_id(order), "object": "payment_intent", **rest}

    def _charge(self, order: Order, told: _Told, happened_s: int) -> dict[str, Any]:
        amount, buyer = _minor(order), order.buyer
        refunded, paid = told.type == "charge.refunded", told.status == "succeeded"
        address = {"city": buyer.city, "country": buyer.country, "line1": None, "line2": None}
        address |= {"postal_code": buyer.zip_code, "state": buyer.state}
        return {
            "id": _id("ch_", order),
            "object": "charge",
            "amount": amount,
            "amount_captured": amount if paid else 0,
            "amount_refunded": amount if refunded else 0,
            "balance_transaction": _id("txn_", order) if paid else None,
            "billing_details": {
                "address": address, "email": buyer.email, "name": buyer.full_name, "phone": buyer.phone_e164,
                "tax_id": None,
            },
            "captured": paid,
            "created": happened_s if not refunded else order.paid_at_s,
            "currency": order.currency.lower(),
            "customer": None,
            "description": order.product_name,
            "disputed": False,
            "failure_code": None if paid else "card_declined",
            "failure_message": None if paid else "Your card has insufficient funds.",
            "livemode": self.livemode,
            "metadata": _metadata(order),
            "outcome": {
                "network_status": "approved_by_network" if paid else "declined_by_network",
                "type": "authorized" if paid else "issuer_declined",
            },
            "paid": paid,
            "payment_intent": self.sale_id(order),
            "payment_method": _id("pm_", order),
            "payment_method_details": {"card": {"brand": "visa", "country": "BR", "last4": "4242"}, "type": "card"},
            "receipt_email": buyer.email,
            "refunded": refunded,
            "shipping": None,
            "status": told.status,
        }  # fmt: skip

    def _refund(self, order: Order, told: _Told, happened_s: int) -> dict[str, Any]:
        return {
            "id": _id("re_", order),
            "object": "refund",
            "amount": _minor(order),
            "balance_transaction": _id("txn_", order),
            "charge": _id("ch_", order),
            "created": happened_s,
            "currency": order.currency.lower(),
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": {},
            "payment_intent": self.sale_id(order),
            "reason": "requested_by_customer",
            "receipt_number": None,
            "status": told.status,
        }

    def _dispute(self, order: Order, told: _Told, happened_s: int) -> dict[str, Any]:
        return {
            "id": _id("du_", order),
            "object": "dispute",
            "amount": _minor(order),
            "balance_transactions": [],
            "charge": _id("ch_", order),
            "created": happened_s,
            "currency": order.currency.lower(),
            "evidence_details": {
                "due_by": happened_s + 7 * _DAY_S, "has_evidence": False, "past_due": False, "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": self.livemode,
            "metadata": {},
            "payment_intent": self.sale_id(order),
            "reason": "fraudulent",
            "status": told.status,
        }  # fmt: skip

    def _session(self, order: Order, told: _Told, happened_s: int) -> dict[str, Any]:
        amount, complete, buyer = _minor(order), told.status == "complete", order.buyer
        details = {"email": buyer.email, "name": buyer.full_name, "phone": buyer.phone_e164}
        return {
            "id": f"cs_{'live' if self.livemode else 'test'}_{shapes.code(shapes.ALNUM, 58, 'stripe/cs', order.key)}",
            "object": "checkout.session",
            "amount_subtotal": amount,
            "amount_total": amount,
            "client_reference_id": order.tracking.get("click_id"),
            "created": order.created_at_s,
            "currency": order.currency.lower(),
            "customer": None,
            "customer_details": details if complete else None,
            "customer_email": None if complete else buyer.email,
            "expires_at": order.created_at_s + _DAY_S if complete else happened_s,
            "livemode": self.livemode,
            # Not copied to the payment intent by Stripe: our seller sets payment_intent_data.metadata as well.
            "metadata": _metadata(order),
            "mode": "payment",
            "payment_intent": self.sale_id(order) if complete else None,
            "payment_method_types": ["card"],
            "payment_status": "paid" if complete else "unpaid",
            "status": told.status,
        }


def _id(prefix: str, order: Order) -> str:
    return prefix + "3" + shapes.code(shapes.ALNUM, 23, "stripe", prefix, order.key)


def _minor(order: Order) -> int:
    currency = order.currency.upper()
    if currency in _ZERO_DECIMAL.split():
        return shapes.minor(order.amount, 0)
    if currency in _THREE_DECIMAL.split():
        if order.amount != order.amount.quantize(Decimal("0.01")):
            raise ValueError(f"Stripe takes two decimals of {currency}, and {order.amount} has more")
        return shapes.minor(order.amount, 3)
    return shapes.minor(order.amount, 2)


def _metadata(order: Order) -> dict[str, str]:
    """What the seller's own code put there: all tracking, cut to Stripe's limits (50 keys of 40, values of 500)."""
    pairs = list(order.tracking.items())[:_METADATA_KEYS]
    return {key[:_METADATA_KEY_CHARS]: value[:_METADATA_VALUE_CHARS] for key, value in pairs}


def _decline(order: Order) -> dict[str, Any]:
    return {
        "charge": _id("ch_", order),
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "type": "card_error",
    }
