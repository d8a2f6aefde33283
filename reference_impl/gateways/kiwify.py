"""Kiwify: the sales webhook with its HMAC-SHA1 in the query, and the plan's dialect.

Source:
    docs.kiwify.com.br/api-reference/webhooks (facts/gateways.md section 2).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal, Trail
from reference_impl.gateways import (
    BadSignature,
    MalformedBody,
    RawDelivery,
    SchemaMismatch,
    UnprovenSender,
    _fields,
    _plan,
    _signatures,
)
from reference_impl.gateways._json import parse
from reference_impl.gateways._trail import carried, trail

CUT_AT = 50
"""Kiwify cuts tracking values at about so many characters: a longer fbclid arrives mutilated."""

_PAID = frozenset({"order_approved", "subscription_renewed"})
_BRL = "BRL"


class Gateway:
    """Approved orders. A pending one has the same order id and is nothing yet."""

    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        if dialect == "plan":
            _plan.verify(delivery, secrets)
            return
        secrets = _signatures.usable(secrets)
        given = delivery.query.get("signature")
        if not given:
            raise BadSignature("The query parameter signature is missing.")
        signed = [delivery.body]
        if (order := _wrapped_order(delivery.body)) is not None:
            signed.append(order)
        wanted = [_signatures.hex_hmac(secret, one, hashlib.sha1) for secret in secrets for one in signed]
        if not _signatures.any_same([given], wanted):
            raise UnprovenSender("The signature does not match the body.")

    def read(self, body: bytes, *, dialect: str) -> Meaning:
        """See Adapter."""
        root = parse(body)
        if dialect == "plan":
            # The plan's body has no time of payment: `created_at` is the order's, so the first receipt counts.
            return _plan.meaning(
                root, sale="purchase_id", person="buyer", amount="value", paid_status="completed", paid_at=None
            )
        return _order(root["order"] if _is_wrapper(root) else root)

    def checkout_params(self, trail: Trail, *, dialect: str) -> Mapping[str, str]:
        """See Adapter. An fbclid that would be cut is no fbclid."""
        if dialect == "plan":
            return _plan.checkout_params(trail)
        whole = trail.fbclid if trail.fbclid and len(trail.fbclid) < CUT_AT else None
        return carried(s1=trail.click_id, s2=whole)


def _is_wrapper(root: Mapping[str, Any]) -> bool:
    """Whether `order` is what is signed and read.

    Were it not the same in both, who has seen one genuine order could put a forged one around it.
    """
    return isinstance(root.get("order"), dict) and "order_id" not in root


def _wrapped_order(body: bytes) -> bytes | None:
    """The very bytes of `order` in a wrapped body `{url, signature, order}`, which is all that is signed there.

    They are cut out, never written anew: written anew they would be other bytes.
    """
    # No wrapper; nor one whose key is written with escapes: of that the whole must be signed.
    if b'"order"' not in body:
        return None
    try:
        root = parse(body)
    except MalformedBody:
        return None
    if not _is_wrapper(root):
        return None
    text, decoder, at = body.decode(), json.JSONDecoder(), body.decode().index("{") + 1
    while True:
        at = _past(text, at, " \t\r\n,")
        key, at = decoder.raw_decode(text, at)
        at = _past(text, at, " \t\r\n:")
        _, end = decoder.raw_decode(text, at)
        if key == "order":
            return text[at:end].encode()
        at = end


def _past(text: str, at: int, skipped: str) -> int:
    while text[at] in skipped:
        at += 1
    return at


def _order(order: Mapping[str, Any]) -> Meaning:
    if _fields.text(order, "status") == "abandoned" and "order_id" not in order:
        return Ignored(reason="an abandoned cart")
    event, status = _fields.text(order, "webhook_event_type"), _fields.text(order, "order_status")
    sale_id = _fields.sale_id(order, "order_id")
    if event == "order_refunded" or status == "refunded":
        return Reversal(sale_id=sale_id, kind="refund")
    if event == "chargeback" or status == "chargedback":
        return Reversal(sale_id=sale_id, kind="chargeback")
    if event not in _PAID or status != "paid":
        return Ignored(reason="an order that is not paid")
    return _paid(order, sale_id)


def _paid(order: Mapping[str, Any], sale_id: str) -> Purchase:
    currency = _fields.currency(order, "Commissions.currency") if _fields.at(order, "Commissions.currency") else _BRL
    first, last = _fields.given_name(_fields.text(order, "Customer.full_name"))
    fbclid = _fields.text(order, "TrackingParameters.s2")
    return Purchase(
        sale_id=sale_id,
        paid_at_s=_fields.moment_s(order, "approved_date", naive_in=_fields.BRASILIA),
        paid_within_s=60,
        amount=_fields.minor_amount(_cents(order), "charge_amount", currency),
        currency=currency,
        buyer=Buyer(
            email=_fields.text(order, "Customer.email"),
            phone=_fields.text(order, "Customer.mobile"),
            first_name=_fields.text(order, "Customer.first_name") or first,
            last_name=last,
            city=_fields.text(order, "Customer.city"),
            state=_fields.text(order, "Customer.state"),
            zip_code=_fields.text(order, "Customer.zipcode"),
            country=_fields.text(order, "Customer.country"),
            ip_address=_fields.text(order, "Customer.ip"),
        ),
        trail=trail(
            click_id=_fields.text(order, "TrackingParameters.s1"),
            fbclid=fbclid if fbclid and len(fbclid) < CUT_AT else None,
        ),
        product_id=_fields.text(order, "Product.product_id"),
    )


def _cents(order: Mapping[str, Any]) -> dict[str, int]:
    """What the buyer paid, in cents: an integer, which some deliveries write as a text."""
    value = _fields.at(order, "Commissions.charge_amount")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SchemaMismatch("Commissions.charge_amount is missing, or no whole number of cents.")
    return {"charge_amount": value}
