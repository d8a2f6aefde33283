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
        def look(connection: Any, arrived: Any, draft: Any) -> Any:
            known = old(connection, arrived, draft)
            found = draft.user_data.get("em") or [""]
            if connection.execute(_BOUGHT, [arrived.tenant, found[0]]).fetchone():
                bite()
                return dataclasses.replace(known, purchase=True)
            return known

        return look

    swap(conversions, "_look", make)
