"""Fake Stripe: snapshot events with the v1 signature. Stripe has one dialect, `vendor`.

Does not imitate: see `Gateway.does_not_imitate`. Source: facts/gateways.md section 4; the official SDK's
`Webhook.construct_event` judges it in tests/contract/test_fake_gateways.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from simulators.gateways import Event, Outcome, Webhook, _plan
from simulators.gateways import _shapes as shapes
from simulators.gateways._json import compact, pretty
from simulators.gateways._stripe_bodies import data
from simulators.gateways._stripe_scene import Back, Scene, intent_id
from simulators.people import Method, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """How Stripe tells one event: its type, and what of the object inside differs."""

    type: str
    about: str
    outcome: Outcome = "ignored"
    partial: bool = False
    status: str = "succeeded"
    """Of the object inside; of a session `paid`, `unpaid` or `expired`."""
    when: Literal["created", "paid", "now"] = "created"
    """Which of the order's times it happens at, or at the time of rendering."""
    back: Back = ""
    method: Method = "card"
    """How it is paid where the order does not say."""
    cycle: int | None = None
    """Which charge of a subscription it is about where the order does not say."""


_INTENTS = {
    "approved": _Told(
        type="payment_intent.succeeded", outcome="purchase", when="paid", about="the one message that is the sale"
    ),
    "approved_twin": _Told(
        type="payment_intent.succeeded",
        outcome="purchase",
        when="paid",
        about="a second Event object, with another evt_ id, for the change that `approved` tells",
    ),
    "subscribed": _Told(
        type="payment_intent.succeeded",
        outcome="purchase",
        when="paid",
        cycle=1,
        about="the first charge of a subscription",
    ),
    "renewed": _Told(
        type="payment_intent.succeeded",
        outcome="purchase",
        when="paid",
        cycle=2,
        about="a later charge of a subscription: a payment intent of its own",
    ),
    "created": _Told(type="payment_intent.created", status="requires_payment_method", about="a checkout was opened"),
    "pending": _Told(type="payment_intent.processing", status="processing", about="the bank is still at it"),
    "requires_action": _Told(
        type="payment_intent.requires_action", status="requires_action", about="the buyer must act: 3-D Secure"
    ),
    "pending_boleto": _Told(
        type="payment_intent.requires_action", status="requires_action", method="boleto", about="a boleto was printed"
    ),
    "pending_pix": _Told(
        type="payment_intent.requires_action", status="requires_action", method="pix", about="a Pix code is shown"
    ),
    "authorised": _Told(
        type="payment_intent.amount_capturable_updated",
        status="requires_capture",
        about="the card was authorised, and nothing captured",
    ),
    "partly_funded": _Told(
        type="payment_intent.partially_funded", status="requires_action", about="a bank transfer of too little"
    ),
    "refused": _Told(type="payment_intent.payment_failed", status="requires_payment_method", about="refused"),
    "renewal_refused": _Told(
        type="payment_intent.payment_failed", status="requires_payment_method", cycle=2, about="a refused renewal"
    ),
    "canceled": _Told(type="payment_intent.canceled", status="canceled", about="the seller gave it up"),
}
_CHARGES = {
    "charge_succeeded": _Told(type="charge.succeeded", when="paid", about="the same sale, told by its charge"),
    "charge_captured": _Told(type="charge.captured", when="paid", about="the same sale, captured after authorisation"),
    "charge_updated": _Told(type="charge.updated", when="paid", about="the same sale, once it is booked"),
    "charge_pending": _Told(type="charge.pending", status="pending", method="boleto", about="a boleto is on its way"),
    "charge_failed": _Told(type="charge.failed", status="failed", about="refused"),
    "charge_expired": _Told(type="charge.expired", when="now", back="all", about="authorised and never captured"),
    "refunded": _Told(
        type="charge.refunded", outcome="reversal", when="now", back="all", about="all of it has gone back"
    ),
    "partly_refunded": _Told(
        type="charge.refunded", outcome="reversal", partial=True, when="now", back="part", about="a third went back"
    ),
    "partly_refunded_again": _Told(
        type="charge.refunded",
        outcome="reversal",
        partial=True,
        when="now",
        back="more",
        about="a second third: amount_refunded is the sum",
    ),
}
_REFUNDS = {
    "refund_created": _Told(
        type="refund.created",
        outcome="reversal",
        partial=True,
        when="now",
        back="all",
        about="a refund, which does not say whether it is all",
    ),
    "partial_refund_created": _Told(
        type="refund.created", outcome="reversal", partial=True, when="now", back="part", about="a refund of a third"
    ),
    "refund_pending": _Told(
        type="refund.created",
        outcome="reversal",
        partial=True,
        status="pending",
        when="now",
        back="all",
        method="boleto",
        about="a refund that is on its way",
    ),
    "refund_updated": _Told(type="refund.updated", when="now", back="all", about="a pending refund has arrived"),
    "refund_failed": _Told(
        type="refund.failed",
        outcome="reinstatement",
        status="failed",
        when="now",
        back="all",
        about="it came back: the seller keeps the money",
    ),
    "refund_failed_update": _Told(
        type="refund.updated",
        outcome="reinstatement",
        status="failed",
        when="now",
        back="all",
        about="refund.failed's twin",
    ),
    "charge_refund_failed": _Told(
        type="charge.refund.updated",
        outcome="reinstatement",
        status="failed",
        when="now",
        back="all",
        about="the same, told by its charge",
    ),
    "refund_canceled": _Told(
        type="refund.updated",
        outcome="reinstatement",
        status="canceled",
        when="now",
        back="all",
        about="it was called off before it went: the seller keeps the money",
    ),
    "charge_refund_updated": _Told(type="charge.refund.updated", when="now", back="all", about="refund.updated's twin"),
}
_DISPUTES = {
    "chargeback": _Told(
        type="charge.dispute.created", outcome="reversal", status="needs_response", when="now", about="disputed"
    ),
    "inquiry": _Told(
        type="charge.dispute.created", status="warning_needs_response", when="now", about="a question; no money moves"
    ),
    "dispute_funds_withdrawn": _Told(
        type="charge.dispute.funds_withdrawn",
        outcome="reversal",
        status="needs_response",
        when="now",
        about="the money was taken from the seller",
    ),
    "dispute_updated": _Told(
        type="charge.dispute.updated", status="under_review", when="now", about="evidence was handed in"
    ),
    "dispute_lost": _Told(
        type="charge.dispute.closed", outcome="reversal", status="lost", when="now", about="the buyer keeps the money"
    ),
    "dispute_won": _Told(
        type="charge.dispute.closed",
        outcome="reinstatement",
        status="won",
        when="now",
        about="the seller keeps the money",
    ),
    "inquiry_closed": _Told(
        type="charge.dispute.closed", status="warning_closed", when="now", about="the question was answered"
    ),
    "dispute_funds_reinstated": _Told(
        type="charge.dispute.funds_reinstated",
        outcome="reinstatement",
        status="won",
        when="now",
        about="the money was given back",
    ),
    "fraud_warning": _Told(
        type="radar.early_fraud_warning.created", when="now", about="the issuer suspects; nothing has happened yet"
    ),
    "fraud_warning_updated": _Told(type="radar.early_fraud_warning.updated", when="now", about="nothing can be done"),
    "review_opened": _Told(type="review.opened", when="paid", about="Radar wants somebody to look"),
    "review_closed": _Told(type="review.closed", when="now", about="somebody looked"),
}
_SESSIONS = {
    "checkout_completed": _Told(
        type="checkout.session.completed", status="paid", when="paid", about="the same sale, told by its session"
    ),
    "checkout_subscribed": _Told(
        type="checkout.session.completed", status="paid", when="paid", cycle=1, about="the same, of a subscription"
    ),
    "checkout_unpaid": _Told(
        type="checkout.session.completed", status="unpaid", method="boleto", about="completed, and not paid yet"
    ),
    "checkout_paid_later": _Told(
        type="checkout.session.async_payment_succeeded",
        status="paid",
        when="paid",
        method="boleto",
        about="the boleto or Pix of a session was paid",
    ),
    "checkout_failed_later": _Told(
        type="checkout.session.async_payment_failed", status="unpaid", when="now", method="boleto", about="never paid"
    ),
    "abandoned": _Told(type="checkout.session.expired", status="expired", about="nobody paid in time"),
}
_SUBSCRIPTIONS = {
    "invoice_created": _Told(type="invoice.created", status="draft", cycle=2, about="a cycle begins"),
    "invoice_finalized": _Told(type="invoice.finalized", status="open", cycle=2, about="it is about to be charged"),
    "invoice_paid": _Told(
        type="invoice.paid", status="paid", when="paid", cycle=2, about="the cycle that `renewed` tells"
    ),
    "invoice_payment_succeeded": _Told(
        type="invoice.payment_succeeded", status="paid", when="paid", cycle=2, about="invoice.paid's twin"
    ),
    "invoice_payment_failed": _Told(
        type="invoice.payment_failed", status="open", cycle=2, about="the cycle that `renewal_refused` tells"
    ),
    "invoice_voided": _Told(type="invoice.voided", status="void", when="now", cycle=2, about="given up"),
    "subscription_created": _Told(
        type="customer.subscription.created", status="active", when="paid", cycle=1, about="begun"
    ),
    "subscription_updated": _Told(
        type="customer.subscription.updated", status="active", when="paid", cycle=2, about="a new cycle"
    ),
    "subscription_late": _Told(
        type="customer.subscription.updated", status="past_due", cycle=2, about="a cycle was not paid"
    ),
    "subscription_trial_ends": _Told(
        type="customer.subscription.trial_will_end", status="trialing", cycle=1, about="in three days"
    ),
    "subscription_paused": _Told(
        type="customer.subscription.paused", status="paused", when="now", cycle=1, about="a trial ended without a card"
    ),
    "subscription_resumed": _Told(
        type="customer.subscription.resumed", status="active", when="now", cycle=2, about="paid again"
    ),
    "subscription_canceled": _Told(
        type="customer.subscription.deleted", status="canceled", when="now", cycle=2, about="ended"
    ),
}
_THIN = _Told(
    type="v1.payment_intent.succeeded",
    when="paid",
    about="a thin (v2) event: an id to fetch, and no sale in it; construct_event refuses it",
)
_TOLD = _INTENTS | _CHARGES | _REFUNDS | _DISPUTES | _SESSIONS | _SUBSCRIPTIONS | {"thin": _THIN}
_EVENTS = {
    name: Event(name=name, vendor_name=told.type, outcome=told.outcome, partial=told.partial, about=told.about)
    for name, told in _TOLD.items()
}


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
        "The exact intervals of three days of re-deliveries.",
        "Connect accounts and their fees, partial captures, prorations, coupons.",
        "Other payment methods than card, boleto and Pix; that a free order has no payment intent at Stripe.",
        "Fields that a receiver of purchases has no use for, and those that only other API versions have, but for the "
        "link from an intent to its invoice; the v0 signature is random, not computed.",
    )

    livemode: bool = True
    """False: a test-mode event, whose header has a meaningless `v0` as well."""
    old_secret: str | None = None
    """The secret that is being rolled out of use: signs too, in a `v1` of its own, before the new one's."""
    api_version: str = "2025-10-29.clover"
    """The version that the endpoint is pinned to. Before 2025-03-31 intents, charges and invoices name each other."""
    intent_has_metadata: bool = True
    """[DOC*] Stripe copies no metadata from session or subscription to the payment intent; True: the seller's own
    code has put it there. False: the intent's and the charge's are empty."""
    intent_has_email: bool = True
    """[DOC*] `receipt_email` stands only where the seller's code has set it. False: the intent knows no e-mail."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events, by our name for them. UnknownName: no such dialect."""
        _plan.check_dialect(dialect, self.dialects, gateway=self.name)
        return _EVENTS

    def sale_id(self, order: Order) -> str:
        """The payment intent's id: pi_ and 24 letters and digits. A renewal has one of its own."""
        return intent_id(order)

    def new_secret(self, seed: str) -> str:
        """An endpoint secret: whsec_ and 32 letters and digits, used whole and never decoded."""
        return "whsec_" + shapes.code(shapes.ALNUM, 32, "stripe/secret", seed)

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:  # noqa: ARG002 -- FakeGateway
        """One Event; amounts in minor units by Stripe's own list of currencies, times in seconds since 1970.

        Raises:
            UnknownName: no such dialect or event.
            ValueError: an amount finer than the currency allows, or too small for a partial refund.
        """
        _plan.event_named(event, self.events(dialect), gateway=self.name, dialect=dialect)
        told = _TOLD[event]
        at_s = {"created": order.created_at_s, "paid": order.paid_at_s, "now": now_s}[told.when]
        event_id = f"evt_1{shapes.code(shapes.ALNUM, 23, 'stripe/evt', order.key, event)}"
        if event == "thin":
            return compact(self._thin(order, event_id, at_s))
        scene = Scene(
            order=replace(order, cycle=order.cycle or told.cycle),
            type=told.type,
            status=told.status,
            at_s=at_s,
            method=order.method or told.method,
            back=told.back,
            livemode=self.livemode,
            api_version=self.api_version,
            intent_has_metadata=self.intent_has_metadata,
            intent_has_email=self.intent_has_email,
        )
        return pretty(
            {
                "id": event_id,
                "object": "event",
                "api_version": self.api_version,
                "created": at_s,
                "data": data(scene),
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

    def _thin(self, order: Order, event_id: str, at_s: int) -> dict[str, Any]:
        """What an event destination of the second kind is sent: what happened to which object, and nothing of it."""
        sale = intent_id(order)
        return {
            "id": event_id,
            "object": "v2.core.event",
            "type": _THIN.type,
            "created": shapes.iso_z(at_s).replace("Z", ".000Z"),
            "livemode": self.livemode,
            "context": None,
            "related_object": {"id": sale, "type": "payment_intent", "url": f"/v1/payment_intents/{sale}"},
            "reason": None,
        }
