"""The plan's own dialect, as far as its three bodies are alike: signature, customer, status, tracking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reversal, Trail
from reference_impl.gateways import RawDelivery, _fields, _signatures
from reference_impl.gateways._trail import carried, trail


def verify(delivery: RawDelivery, secrets: Any) -> None:
    """The plan's signature. Raises BadSignature."""
    _signatures.check_plan(delivery.headers.get("x-signature"), delivery.body, secrets)


def checkout_params(known: Trail) -> dict[str, str]:
    """Our own addition to the plan: the webhook's `tracking` repeats what the checkout was given under these names."""
    return carried(click_id=known.click_id, fbclid=known.fbclid, fbp=known.fbp, fbc=known.fbc)


def meaning(
    root: Mapping[str, Any],
    *,
    sale: str,
    person: str,
    amount: str,
    paid_status: str,
    paid_at: str | None,
    product: str | None = None,
) -> Meaning:
    """Read a body in which the named fields hold what their names say; `paid_at` is None where there is none.

    Raises:
        SchemaMismatch.
    """
    status = _fields.required(root, "status")
    sale_id = _fields.sale_id(root, sale)
    if status == "refunded":
        return Reversal(sale_id=sale_id, kind="refund")
    if status != paid_status:
        return Ignored(reason=f"a status other than {paid_status} is no purchase")
    return Purchase(
        sale_id=sale_id,
        paid_at_s=_fields.moment_s(root, paid_at) if paid_at else None,
        amount=_fields.amount(root, amount),
        currency=_fields.currency(root, "currency"),
        buyer=Buyer(
            email=_fields.text(root, f"{person}.email"), phone=_fields.text(root, f"{person}.phone"), country="BR"
        ),
        trail=trail(
            click_id=_fields.text(root, "tracking.click_id"),
            fbclid=_fields.text(root, "tracking.fbclid"),
            fbp=_fields.text(root, "tracking.fbp"),
            fbc=_fields.text(root, "tracking.fbc"),
        ),
        product_id=_fields.text(root, product) if product else None,
    )
