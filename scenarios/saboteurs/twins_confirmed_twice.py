"""Look, then insert, without a key in the database: of two deliveries in one moment both are new, and both are sent."""

import threading
from typing import Any

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-08[hotmart-vendor]", "G-08[stripe-vendor]")

_meeting = threading.Barrier(2)
_opening = threading.Lock()
_opened: list[bool] = []
_NO_KEYS = """
ALTER TABLE conversions DROP CONSTRAINT IF EXISTS conversions_tenant_id_gateway_sale_id_kind_key;
ALTER TABLE dedupe_registry DROP CONSTRAINT IF EXISTS dedupe_registry_pkey;
"""


def patch() -> None:
    """Twins are let meet between the look and the insert."""

    def make(old: Any) -> Any:
        def look(connection: Any, arrived: Any, draft: Any) -> Any:
            with _opening:  # nobody looks before the keys are gone
                if not _opened:
                    _opened.append(True)
                    connection.execute(_NO_KEYS)
            known = old(connection, arrived, draft)
            try:
                _meeting.wait(timeout=0.3)
                bite()
            except threading.BrokenBarrierError:
                _meeting.reset()
            return known

        return look

    swap(conversions, "_look", make)
