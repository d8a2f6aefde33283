"""Hotmart: webhook 2.0.0 with a static token in a header, and the plan's dialect.

The vendor signs nothing: whoever knows the token may say anything, and a changed byte cannot be noticed.

Source:
    developers.hotmart.com (facts/gateways.md section 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal
from reference_impl.gateways import RawDelivery, _fields, _plan, _signatures
from reference_impl.gateways._json import parse
from reference_impl.gateways._trail import trail

# COMPLETE comes weeks later with the same transaction: the same sale, which the registry knows; if the approval never
# came, it is the first that we hear of it.
_PAID = frozenset({"PURCHASE_APPROVED", "PURCHASE_COMPLETE"})
_PARTLY_BACK = "PARTIALLY_REFUNDED"


class Gateway:
    """Approved purchases, valued at `price` (without the buyer's instalment interest)."""

    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        if dialect == "plan":
            _plan.verify(delivery, secrets)
        else:
            given = delivery.headers.get("x-hotmart-hottok")
            _signatures.check_token(given, secrets, where="The header X-HOTMART-HOTTOK")

    def read(self, body: bytes, *, dialect: str) -> Meaning:
        """See Adapter."""
        root = parse(body)
        if dialect == "plan":
            return _plan.meaning(
                root,
                sale="order_id",
                person="customer",
                amount="amount",
                paid_status="approved",
                paid_at="event_time",
                product="product_id",
            )
        event = _fields.required(root, "event")
        if event in _PAID:
            return _paid(root)
        if _fields.text(root, "data.purchase.status") == _PARTLY_BACK:
            # Documented as a status; which event carries it is not. Whatever it is, the sale stands.
            return Reversal(sale_id=_sale_id(root), kind="partial_refund")
        if event == "PURCHASE_REFUNDED":
            return Reversal(sale_id=_sale_id(root), kind="refund")
        if event in ("PURCHASE_CHARGEBACK", "PURCHASE_PROTEST"):
            return Reversal(sale_id=_sale_id(root), kind="chargeback")
        return Ignored(reason="an event that is no payment")


def _sale_id(root: Mapping[str, Any]) -> str:
    return _fields.sale_id(root, "data.purchase.transaction")


def _paid(root: Mapping[str, Any]) -> Purchase:
    buyer, purchase = "data.buyer", "data.purchase"
    first, last = _fields.given_name(_fields.text(root, f"{buyer}.name"))
    country = _fields.text(root, f"{buyer}.address.country_iso") or _fields.text(
        root, f"{purchase}.checkout_country.iso"
    )
    return Purchase(
        sale_id=_sale_id(root),
        paid_at_s=_fields.epoch_s(root, f"{purchase}.approved_date", per_second=1000),
        amount=_fields.amount(root, f"{purchase}.price.value"),
        currency=_fields.currency(root, f"{purchase}.price.currency_value"),
        buyer=Buyer(
            email=_fields.text(root, f"{buyer}.email"),
            phone=_phone(root, country),
            first_name=_fields.text(root, f"{buyer}.first_name") or first,
            last_name=_fields.text(root, f"{buyer}.last_name") or last,
            city=_fields.text(root, f"{buyer}.address.city"),
            state=_fields.text(root, f"{buyer}.address.state"),
            zip_code=_fields.text(root, f"{buyer}.address.zipcode"),
            country=country,
            ip_address=_fields.text(root, f"{purchase}.buyer_ip"),
        ),
        trail=trail(
            # A changelog entry spells the key xcode, real sales xcod.
            click_id=_fields.text(root, f"{purchase}.origin.xcod") or _fields.text(root, f"{purchase}.origin.xcode"),
            fbclid=_fields.text(root, f"{purchase}.origin.sck"),
        ),
        product_id=_fields.text(root, "data.product.id"),
    )


def _phone(root: Mapping[str, Any], country: str | None) -> str | None:
    """The two phone fields as one number. The code is the country's in some deliveries and the area's in others."""
    number = _fields.text(root, "data.buyer.checkout_phone")
    code = re.sub(r"\D", "", _fields.text(root, "data.buyer.checkout_phone_code") or "")
    if number is None:
        return None
    digits = re.sub(r"\D", "", number)
    if (country or "BR").upper() != "BR":
        return number if number.startswith("+") or not code else f"+{code}{digits.removeprefix(code)}"
    # A Brazilian number of 8 or 9 digits lacks its area code.
    return code + digits if len(digits) in (8, 9) and len(code) == 2 else number
