"""An order bump is booked under the transaction that it was added to: the second sale is a duplicate of the first."""

import dataclasses
import json
from typing import Any

from reference_impl.domain.conversion import Purchase
from reference_impl.gateways import hotmart
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-33[hotmart-vendor]",)


def patch() -> None:
    """The parent's transaction is the sale's id."""

    def make(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            meaning = old(self, body, dialect=dialect)
            purchase = (json.loads(body).get("data") or {}).get("purchase") or {}
            parent = (purchase.get("order_bump") or {}).get("parent_purchase_transaction")
            if not isinstance(meaning, Purchase) or not parent:
                return meaning
            bite()
            return dataclasses.replace(meaning, sale_id=parent)

        return read

    swap(hotmart.Gateway, "read", make)
