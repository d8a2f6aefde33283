"""The event's time is when the webhook came: what a vendor delivers late is credited to the wrong day and ad."""

import dataclasses
from typing import Any

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-22[hotmart-vendor]", "G-22[stripe-vendor]")


def patch() -> None:
    """Nobody says when it was paid."""

    def make(old: Any) -> Any:
        def unpaid(sale: Any) -> Any:
            purchase = dataclasses.replace(sale.draft.purchase, paid_at_s=None)
            return dataclasses.replace(sale, draft=dataclasses.replace(sale.draft, purchase=purchase))

        def record_purchases(connection: Any, sales: Any) -> Any:
            bite()
            return old(connection, [unpaid(sale) for sale in sales])

        return record_purchases

    swap(conversions, "record_purchases", make)
