"""A pending order is entered as heard of, and its payment is then a duplicate: no boleto is ever counted."""

import json
import os
from typing import Any

import psycopg

from reference_impl.domain.conversion import Ignored
from reference_impl.gateways import kiwify
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-11[kiwify-vendor]",)

_HEARD_OF = """
INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
SELECT id, 'kiwify', %s, 'purchase', 'pending', now() FROM tenants ON CONFLICT DO NOTHING
"""


def patch() -> None:
    """What is not paid yet takes the sale's place."""

    def make(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            meaning = old(self, body, dialect=dialect)
            sale_id = json.loads(body).get("order_id")
            if isinstance(meaning, Ignored) and sale_id:
                bite()
                with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                    connection.execute(_HEARD_OF, [sale_id])
            return meaning

        return read

    swap(kiwify.Gateway, "read", make)
