"""Stripe: snapshot events with the v1 signature. One dialect.

Source:
    docs.stripe.com/webhooks (facts/gateways.md section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from reference_impl.domain.conversion import (
    Buyer,
    Ignored,
    Meaning,
    Purchase,
    Reinstatement,
    Reversal,
    ReversalKind,
    Trail,
)
from reference_impl.gateways import RawDelivery, _fields, _signatures
from reference_impl.gateways._json import parse
from reference_impl.gateways._trail import carried, trail

TOLERANCE_S = 300


class Gateway:
    """Succeeded payment intents become purchases; refunds and disputes reversals, and their failures the opposite."""

    dialects: ClassVar[tuple[str, ...]] = ("vendor",)

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        header = delivery.headers.get("stripe-signature")
        _signatures.check_timestamped(header, delivery.body, secrets, now_s=now_s, tolerance_s=TOLERANCE_S)

    def read(self, body: bytes, *, dialect: str) -> Meaning:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        event = parse(body)
        kind = _fields.required(event, "type")
        reader = _READERS.get(kind)
        if reader is None:
            return Ignored(reason="an event type that carries no purchase of its own")
        return reader(event)

    def checkout_params(self, trail: Trail, *, dialect: str) -> Mapping[str, str]:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter. No URL's: the shop's server gives them to the API as the PaymentIntent's metadata."""
        known = carried(click_id=trail.click_id, fbclid=trail.fbclid, fbp=trail.fbp, fbc=trail.fbc)
        return {f"metadata[{name}]": value for name, value in known.items()}


def _paid(event: Mapping[str, Any]) -> Purchase:
    currency = _fields.currency(event, "data.object.currency")
    name = _fields.text(event, "data.object.shipping.name")
    first, last = _fields.given_name(name)
    metadata = "data.object.metadata"
    return Purchase(
        sale_id=_fields.sale_id(event, "data.object.id"),  # not event.id: Stripe may make two Events of one change
        paid_at_s=_fields.epoch_s(event, "created"),
        amount=_fields.minor_amount(event, "data.object.amount_received", currency),
        currency=currency,
        buyer=Buyer(
            email=_fields.text(event, "data.object.receipt_email"),  # may be absent
            phone=_fields.text(event, "data.object.shipping.phone"),
            first_name=first,
            last_name=last,
            city=_fields.text(event, "data.object.shipping.address.city"),
            state=_fields.text(event, "data.object.shipping.address.state"),
            zip_code=_fields.text(event, "data.object.shipping.address.postal_code"),
            country=_fields.text(event, "data.object.shipping.address.country"),
        ),
        trail=trail(
            click_id=_fields.text(event, f"{metadata}.click_id"),
            fbclid=_fields.text(event, f"{metadata}.fbclid"),
            fbp=_fields.text(event, f"{metadata}.fbp"),
            fbc=_fields.text(event, f"{metadata}.fbc"),
        ),
        product_id=_fields.text(event, f"{metadata}.product_id"),
    )


def _refunded(event: Mapping[str, Any]) -> Meaning:
    """A Charge: `refunded` is true only once all of it has gone back."""
    whole = _fields.at(event, "data.object.refunded") is True
    return _reversal(event, "refund" if whole else "partial_refund")


def _refund_created(event: Mapping[str, Any]) -> Meaning:
    """A Refund says what goes back, not whether that is all; charge.refunded says so."""
    if _fields.text(event, "data.object.status") in ("failed", "canceled"):
        return Ignored(reason="a refund that did not come about")
    return _reversal(event, "partial_refund")


def _refund_changed(event: Mapping[str, Any]) -> Meaning:
    """A refund may fail days after it was told, and of a sale that went back altogether it then was not all."""
    if _fields.text(event, "data.object.status") in ("failed", "canceled"):
        return _reinstatement(event, "refund")
    return Ignored(reason="a refund on its way, which is known")


def _disputed(event: Mapping[str, Any]) -> Meaning:
    """A dispute takes the money as soon as it is opened; an inquiry (`warning_…`) only asks."""
    if (_fields.text(event, "data.object.status") or "").startswith("warning_"):
        return Ignored(reason="an inquiry, which moves no money")
    return _reversal(event, "chargeback")


def _dispute_closed(event: Mapping[str, Any]) -> Meaning:
    """Lost: the money is gone for good, also if nobody told us that it was disputed. Won: the seller keeps it."""
    match _fields.text(event, "data.object.status"):
        case "lost":
            return _reversal(event, "chargeback")
        case "won":
            return _reinstatement(event, "chargeback")
        case _:
            return Ignored(reason="an inquiry that has come to its end")


def _funds_reinstated(event: Mapping[str, Any]) -> Meaning:
    """What won the dispute tells as well; a part of the money may come again after a lost one."""
    if _fields.text(event, "data.object.status") == "won":
        return _reinstatement(event, "chargeback")
    return Ignored(reason="money that came again though the dispute was not won")


def _reversal(event: Mapping[str, Any], kind: ReversalKind) -> Meaning:
    if _fields.text(event, "data.object.payment_intent") is None:
        return _NO_INTENT
    sale_id = _fields.sale_id(event, "data.object.payment_intent")
    return Reversal(sale_id=sale_id, kind=kind, happened_at_s=_fields.epoch_s(event, "created"))


def _reinstatement(event: Mapping[str, Any], kind: Literal["refund", "chargeback"]) -> Meaning:
    if _fields.text(event, "data.object.payment_intent") is None:
        return _NO_INTENT
    sale_id = _fields.sale_id(event, "data.object.payment_intent")
    return Reinstatement(sale_id=sale_id, kind=kind, happened_at_s=_fields.epoch_s(event, "created"))


_NO_INTENT = Ignored(reason="a charge without a payment intent")


# One sale is told by many events: its charge, its session, its invoice. The intent alone is the sale: each cycle of a
# subscription counts once, though invoice.paid comes as well.
_READERS: Mapping[str, Callable[[Mapping[str, Any]], Meaning]] = {
    "payment_intent.succeeded": _paid,
    "charge.refunded": _refunded,
    "refund.created": _refund_created,
    "refund.updated": _refund_changed,
    "refund.failed": _refund_changed,
    "charge.refund.updated": _refund_changed,
    "charge.dispute.created": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.closed": _dispute_closed,
    "charge.dispute.funds_reinstated": _funds_reinstated,
}
