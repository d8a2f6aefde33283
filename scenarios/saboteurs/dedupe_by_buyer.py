"""A second purchase of the same buyer is taken for a repetition: renewals are swallowed."""

import dataclasses
from typing import Any

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-31[hotmart-vendor]", "G-31[stripe-vendor]")

_BOUGHT = "SELECT 1 FROM conversions WHERE tenant_id = %s AND kind = 'purchase' AND user_data->'em' ? %s"


def patch() -> None:
    """Who has bought has bought."""

    def make(old: Any) -> Any:
        def look(connection: Any, sales: Any) -> Any:
            return [
                dataclasses.replace(known, purchase=True) if has_bought(connection, sale) else known
                for sale, known in zip(sales, old(connection, sales), strict=True)
            ]

        return look

    def has_bought(connection: Any, sale: Any) -> bool:
        found = sale.draft.user_data.get("em") or [""]
        if connection.execute(_BOUGHT, [sale.arrived.tenant, found[0]]).fetchone():
            bite()
            return True
        return False

    swap(conversions, "_look", make)
