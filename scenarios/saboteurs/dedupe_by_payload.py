"""A delivery is a duplicate if its bytes are known: the confirmation after the guarantee is a new sale."""

import contextvars
import hashlib
from typing import Any

from reference_impl.db import conversions
from reference_impl.domain import event_id
from reference_impl.gateways import hotmart, perfectpay
from scenarios.saboteurs._patching import bite, rewrite, swap

CAUGHT_BY = ("G-21[hotmart-vendor]", "G-21[perfectpay-vendor]")

_body: contextvars.ContextVar[str] = contextvars.ContextVar("_body", default="")
_opened: list[bool] = []


def patch() -> None:
    """The registry knows bodies, and the table of conversions has lost its key."""

    def reading(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            _body.set(hashlib.sha256(body).hexdigest())
            return old(self, body, dialect=dialect)

        return read

    def naming(_: Any) -> Any:
        def named(*, tenant: str, gateway: str, sale_id: str, kind: str = "purchase") -> str:
            return f"{kind}.{_body.get()[:32]}"

        return named

    def writing(old: Any) -> Any:
        def record_purchase(connection: Any, arrived: Any, draft: Any) -> Any:
            bite()
            if not _opened:
                _opened.append(True)
                connection.execute(_NO_KEYS)
            return old(connection, arrived, draft)

        return record_purchase

    for one in (hotmart, perfectpay):
        swap(one.Gateway, "read", reading)
    swap(event_id, "event_id", naming)
    known = "FROM dedupe_registry WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s AND sale_id = %(sale_id)s"
    rewrite(conversions, "_LOOK", known, f"{known} AND false", used_by="record_purchase")
    swap(conversions, "record_purchase", writing)


_NO_KEYS = """
ALTER TABLE conversions DROP CONSTRAINT IF EXISTS conversions_tenant_id_gateway_sale_id_kind_key;
ALTER TABLE dedupe_registry DROP CONSTRAINT IF EXISTS dedupe_registry_pkey;
CREATE UNIQUE INDEX IF NOT EXISTS by_payload ON dedupe_registry (event_id);
"""
