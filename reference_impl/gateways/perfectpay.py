"""PerfectPay: the sales postback with a static token in its body, and the plan's dialect.

The vendor signs nothing, and its token stands inside the body: this is the one sender that must be read before it is
believed, by a parser that is bounded and refuses a key that stands twice.

Source:
    support.perfectpay.com.br (facts/gateways.md section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal, Trail
from reference_impl.gateways import RawDelivery, SchemaMismatch, _fields, _plan, _signatures
from reference_impl.gateways._json import parse
from reference_impl.gateways._trail import carried, trail

# sale_status_enum: 10, completed, is the same sale 30 days later. 8 (authorised) and 16 (in review) are not yet paid.
_PAID = frozenset({2, 10})
_REFUNDED = frozenset({7, 18, 19, 20})
_CHARGED_BACK = frozenset({9, 17})
_CURRENCIES: Mapping[int, str] = {1: "BRL", 2: "USD", 3: "EUR"}


class Gateway:
    """Approved sales."""

    dialects: ClassVar[tuple[str, ...]] = ("plan", "vendor")

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:  # noqa: ARG002 -- the shape of every gateway
        """See Adapter."""
        if dialect == "plan":
            _plan.verify(delivery, secrets)
        elif not delivery.body:
            _signatures.check_token(None, secrets, where="The token")
        else:
            _signatures.check_token(parse(delivery.body).get("token"), secrets, where="The token in the body")

    def read(self, body: bytes, *, dialect: str) -> Meaning:
        """See Adapter."""
        root = parse(body)
        if dialect == "plan":
            return _plan.meaning(
                root,
                sale="sale_code",
                person="customer",
                amount="sale_amount",
                paid_status="approved",
                paid_at="approved_at",
            )
        status = _whole(root, "sale_status_enum")
        if status in _PAID:
            return _paid(root)
        if status in _REFUNDED:
            return Reversal(sale_id=_fields.sale_id(root, "code"), kind="refund")
        if status in _CHARGED_BACK:
            return Reversal(sale_id=_fields.sale_id(root, "code"), kind="chargeback")
        return Ignored(reason=f"sale status {status} is no payment")

    def checkout_params(self, trail: Trail, *, dialect: str) -> Mapping[str, str]:
        """See Adapter."""
        if dialect == "plan":
            return _plan.checkout_params(trail)
        return carried(src=trail.click_id, sck=trail.fbclid, _fbp=trail.fbp, _fbc=trail.fbc)


def _whole(root: Mapping[str, Any], path: str) -> int:
    value = _fields.at(root, path)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SchemaMismatch(f"{path} is missing, or no number.")
    return value


def _currency(root: Mapping[str, Any]) -> str:
    if _fields.at(root, "currency_enum_key") is not None:
        return _fields.currency(root, "currency_enum_key")
    found = _CURRENCIES.get(_whole(root, "currency_enum"))
    if found is None:
        raise SchemaMismatch("currency_enum is none that is known.")
    return found


def _paid(root: Mapping[str, Any]) -> Purchase:
    first, last = _fields.given_name(_fields.text(root, "customer.full_name"))
    return Purchase(
        sale_id=_fields.sale_id(root, "code"),
        paid_at_s=_fields.moment_s(root, "date_approved", naive_in=_fields.BRASILIA),
        amount=_fields.amount(root, "sale_amount"),
        currency=_currency(root),
        buyer=Buyer(
            email=_fields.text(root, "customer.email"),
            phone=_phone(root),
            first_name=first,
            last_name=last,
            city=_fields.text(root, "customer.city"),
            state=_fields.text(root, "customer.state"),
            zip_code=_fields.text(root, "customer.zip_code"),
            country=_fields.text(root, "customer.country"),
            ip_address=_fields.text(root, "customer.ip"),
            user_agent=_fields.text(root, "customer.user_agent"),
        ),
        trail=trail(
            click_id=_fields.text(root, "metadata.src"),
            fbclid=_fields.text(root, "metadata.sck"),
            fbp=_fields.text(root, "metadata._fbp"),
            fbc=_fields.text(root, "metadata._fbc"),
        ),
        product_id=_fields.text(root, "product.code"),
    )


def _phone(root: Mapping[str, Any]) -> str | None:
    """With its country's code where the vendor gives one, with or without a plus."""
    whole = _fields.text(root, "customer.phone_formated_ddi")
    if whole:
        return whole if whole.startswith("+") else f"+{whole}"
    area, number = _fields.text(root, "customer.phone_area_code"), _fields.text(root, "customer.phone_number")
    return f"{area or ''}{number}" if number else None
