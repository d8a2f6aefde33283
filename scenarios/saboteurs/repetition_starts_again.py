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
        def record_purchases(connection: Any, sales: Any) -> Any:
            said = old(connection, sales)
            for sale, one in zip(sales, said, strict=True):
                if one == "duplicate":
                    bite()
                    connection.execute(_AGAIN, list(sale.key))
            return said

        return record_purchases

    swap(conversions, "record_purchases", make)
