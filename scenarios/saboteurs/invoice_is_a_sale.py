"""invoice.paid is taken for a sale beside its payment intent: each cycle of a subscription counts twice."""

import json
from decimal import Decimal
from typing import Any

from reference_impl.domain.conversion import Buyer, Purchase
from reference_impl.gateways import stripe
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-25[stripe-vendor]", "G-31[stripe-vendor]")


def patch() -> None:
    """Whatever says that it is paid."""

    def make(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            event = json.loads(body)
            if event.get("type") != "invoice.paid":
                return old(self, body, dialect=dialect)
            bite()
            invoice = event["data"]["object"]
            return Purchase(
                sale_id=invoice["id"],
                paid_at_s=event["created"],
                amount=Decimal(invoice["amount_paid"]) / 100,
                currency=invoice["currency"].upper(),
                buyer=Buyer(email=invoice.get("customer_email")),
            )

        return read

    swap(stripe.Gateway, "read", make)
