"""Eduzz: webhook v3, an HMAC-SHA256 of the body in `x-signature`.

Source:
    developers.eduzz.com/reference/webhook (envelope, buyer, price, items, statuses); the signature, `paid` and `paidAt`
    by the code of several integrators, who all take it as bare hex.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal, Trail
from reference_impl.gateways import BadSignature, RawDelivery, UnprovenSender, _fields, _signatures
from reference_impl.gateways._json import parse
from reference_impl.gateways._trail import carried, trail


class Gateway:
    """Paid invoices. An invoice's id stays the same from its opening to its refund."""

    dialects: ClassVar[tuple[str, ...]] = ("vendor",)

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        secrets = _signatures.usable(secrets)
        given = delivery.headers.get("x-signature")
        if not given:
            raise BadSignature("The header x-signature is missing.")
        if not _signatures.any_same([given], (_signatures.hex_hmac(secret, delivery.body) for secret in secrets)):
            raise UnprovenSender("The signature does not match the body.")

    def read(self, body: bytes, *, dialect: str) -> Meaning:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        root = parse(body)
        event = _fields.required(root, "event")
        if event == "myeduzz.invoice_refunded":
            return Reversal(sale_id=_fields.sale_id(root, "data.id"), kind="refund")
        if event == "myeduzz.invoice_chargeback":
            return Reversal(sale_id=_fields.sale_id(root, "data.id"), kind="chargeback")
        if event != "myeduzz.invoice_paid":
            return Ignored(reason="an event that is no paid invoice")
        return _paid(root)

    def checkout_params(self, trail: Trail, *, dialect: str) -> Mapping[str, str]:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        return carried(tracker1=trail.click_id, tracker2=trail.fbclid)


def _paid(root: Mapping[str, Any]) -> Purchase:
    # What was paid differs from the price where a coupon or interest came in between.
    money = "data.paid" if _fields.at(root, "data.paid") is not None else "data.price"
    first, last = _fields.given_name(_fields.text(root, "data.buyer.name"))
    phones = (_fields.text(root, f"data.buyer.{name}") for name in ("cellphone", "phone", "phone2"))
    return Purchase(
        sale_id=_fields.sale_id(root, "data.id"),
        paid_at_s=_fields.moment_s(root, "data.paidAt"),
        amount=_fields.amount(root, f"{money}.value"),
        currency=_fields.currency(root, f"{money}.currency"),
        buyer=Buyer(
            email=_fields.text(root, "data.buyer.email"),
            phone=next(filter(None, phones), None),
            first_name=first,
            last_name=last,
            city=_fields.text(root, "data.buyer.address.city"),
            state=_fields.text(root, "data.buyer.address.state"),
            zip_code=_fields.text(root, "data.buyer.address.zipCode"),
            country=_fields.text(root, "data.buyer.address.country"),
        ),
        trail=trail(click_id=_fields.text(root, "data.tracker.code1"), fbclid=_fields.text(root, "data.tracker.code2")),
        product_id=_product(root),
    )


def _product(root: Mapping[str, Any]) -> str | None:
    items = _fields.at(root, "data.items")
    first = items[0] if isinstance(items, list) and items and isinstance(items[0], Mapping) else {}
    return _fields.text(first, "productId")
