"""A duplicate is written by an upsert that sets the conversion back to pending: each delivery is sent once more."""

from typing import Any

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-62[hotmart-vendor]", "G-62[stripe-vendor]")

_AGAIN = """
WITH again AS (
    UPDATE conversions SET state = 'pending', claimed_until = NULL
    WHERE (tenant_id, gateway, sale_id, kind) = (%s, %s, %s, 'purchase') RETURNING id
)
INSERT INTO outbox (conversion_id) SELECT id FROM again
"""


def patch() -> None:
    """On conflict do update."""

    def make(old: Any) -> Any:
        def record_purchase(connection: Any, arrived: Any, draft: Any) -> Any:
            said = old(connection, arrived, draft)
            if said == "duplicate":
                bite()
                connection.execute(_AGAIN, [arrived.tenant, arrived.gateway, draft.purchase.sale_id])
            return said

        return record_purchase

    swap(conversions, "record_purchase", make)
