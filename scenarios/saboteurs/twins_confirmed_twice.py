"""Look, then insert, without a key in the database: of two deliveries in one moment both are new, and both are sent."""

import threading
from typing import Any

from reference_impl.db import conversions
from reference_impl.db.group_commit import GroupCommit
from scenarios.saboteurs._patching import Gone, bite, swap

CAUGHT_BY = ("G-08[hotmart-vendor]", "G-08[stripe-vendor]")

_meeting = threading.Barrier(2)
_opening = threading.Lock()
_opened: list[bool] = []
_KEY = "ON CONFLICT (tenant_id, gateway, sale_id, kind) DO NOTHING"
_NO_KEYS = """
ALTER TABLE conversions DROP CONSTRAINT IF EXISTS conversions_tenant_id_gateway_sale_id_kind_key;
ALTER TABLE dedupe_registry DROP CONSTRAINT IF EXISTS dedupe_registry_pkey;
"""


def patch() -> None:
    """Twins are let meet between the look and the insert, each on its own, as two replicas would have them."""

    def alone(_: Any) -> Any:
        return lambda group, item: group._work([item])[0]

    def make(old: Any) -> Any:
        def look(connection: Any, sales: Any) -> Any:
            with _opening:  # nobody looks before the keys are gone
                if not _opened:
                    _opened.append(True)
                    connection.execute(_NO_KEYS)
            known = old(connection, sales)
            if not known[0].purchase:
                try:
                    _meeting.wait(timeout=1)
                    bite()
                except threading.BrokenBarrierError:
                    _meeting.reset()
            return known

        return look

    def without_key(old: Any) -> Any:
        if _KEY not in old:
            raise Gone(f"_WRITE does not hold {_KEY!r}")
        return old.replace(_KEY, "")

    swap(conversions, "_WRITE", without_key)
    swap(GroupCommit, "submit", alone)
    swap(conversions, "_look", make)
