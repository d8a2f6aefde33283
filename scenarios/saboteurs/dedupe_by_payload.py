"""A delivery is a duplicate if its bytes are known: the confirmation after the guarantee is a new sale."""

import hashlib
from typing import Any

from reference_impl.db import conversions
from reference_impl.domain import event_id
from reference_impl.gateways import hotmart, perfectpay
from scenarios.saboteurs._patching import bite, rewrite, swap

CAUGHT_BY = ("G-21[hotmart-vendor]", "G-21[perfectpay-vendor]")

_bodies: dict[str, str] = {}
_opened: list[bool] = []


def patch() -> None:
    """The registry knows bodies, and the table of conversions has lost its key."""

    def reading(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            meaning = old(self, body, dialect=dialect)
            _bodies[getattr(meaning, "sale_id", "")] = hashlib.sha256(body).hexdigest()
            return meaning

        return read

    def naming(_: Any) -> Any:
        def named(*, tenant: str, gateway: str, sale_id: str, kind: str = "purchase") -> str:
            return f"{kind}.{_bodies.get(sale_id, sale_id)[:32]}"

        return named

    def writing(old: Any) -> Any:
        def record_purchases(connection: Any, sales: Any) -> Any:
            bite()
            if not _opened:
                _opened.append(True)
                connection.execute(_NO_KEYS)
            return old(connection, sales)

        return record_purchases

    for one in (hotmart, perfectpay):
        swap(one.Gateway, "read", reading)
    swap(event_id, "event_id", naming)
    known = "WHERE tenant_id = asked.tenant AND gateway = asked.gateway AND sale_id = asked.sale_id"
    rewrite(conversions, "_LOOK", known, f"{known} AND false", used_by="record_purchases")
    # What names the key that is gone would fail, and a crash is another bug than this one.
    key = "ON CONFLICT (tenant_id, gateway, sale_id, kind) DO NOTHING"
    rewrite(conversions, "_WRITE", key, "", used_by="record_purchases")
    swap(conversions, "record_purchases", writing)


_NO_KEYS = """
ALTER TABLE conversions DROP CONSTRAINT IF EXISTS conversions_tenant_id_gateway_sale_id_kind_key;
ALTER TABLE dedupe_registry DROP CONSTRAINT IF EXISTS dedupe_registry_pkey;
CREATE UNIQUE INDEX IF NOT EXISTS by_payload ON dedupe_registry (event_id);
"""
