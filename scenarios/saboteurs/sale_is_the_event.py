"""The delivery's own id is taken for the sale's: Stripe makes two Event objects of one change, and it is sold twice."""

import dataclasses
import json
from typing import Any

from reference_impl.domain.conversion import Purchase
from reference_impl.gateways import stripe
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-30[stripe-vendor]",)


def patch() -> None:
    """The id at the root of the body."""

    def make(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            meaning = old(self, body, dialect=dialect)
            if not isinstance(meaning, Purchase):
                return meaning
            bite()
            return dataclasses.replace(meaning, sale_id=json.loads(body)["id"])

        return read

    swap(stripe.Gateway, "read", make)
