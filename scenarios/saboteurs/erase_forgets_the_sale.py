"""An erasure deletes the dedupe row too, so the vendor's next delivery is a new sale of a known buyer."""

from typing import Any

from reference_impl.db import people
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-07[hotmart-vendor]",)

_ROWS = """
DELETE FROM dedupe_registry d USING conversions c
WHERE (d.tenant_id, d.gateway, d.sale_id) = (c.tenant_id, c.gateway, c.sale_id)
  AND c.tenant_id = %s AND c.user_data = '{}' AND c.kind = 'purchase'
"""


def patch() -> None:
    """Nothing of the person stays, nor of the sale."""

    def make(old: Any) -> Any:
        def erase(connection: Any, person: Any) -> Any:
            bite()
            told = old(connection, person)
            connection.execute(_ROWS, [person.tenant])
            connection.execute(
                "UPDATE conversions SET sale_id = 'erased ' || id WHERE tenant_id = %s AND user_data = '{}'",
                [person.tenant],
            )
            return told

        return erase

    swap(people, "erase", make)
