"""The event's time is when the webhook came: what a vendor delivers late is credited to the wrong day and ad."""

import dataclasses
from typing import Any

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-22[hotmart-vendor]", "G-22[stripe-vendor]")


def patch() -> None:
    """Nobody says when it was paid."""

    def make(old: Any) -> Any:
        def record_purchase(connection: Any, arrived: Any, draft: Any) -> Any:
            bite()
            purchase = dataclasses.replace(draft.purchase, paid_at_s=None)
            return old(connection, arrived, dataclasses.replace(draft, purchase=purchase))

        return record_purchase

    swap(conversions, "record_purchase", make)
