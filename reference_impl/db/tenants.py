"""Tenants and the gateways that they use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
Flag = Literal["on", "hold", "off"]

_PUT = """
INSERT INTO tenants (id, pixel_id, timezone) VALUES (%(id)s, %(pixel_id)s, %(timezone)s)
ON CONFLICT (id) DO UPDATE SET pixel_id = excluded.pixel_id, timezone = excluded.timezone
"""
_PUT_GATEWAY = """
INSERT INTO tenant_gateways (tenant_id, gateway, dialect) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, gateway) DO UPDATE SET dialect = excluded.dialect
"""
_DROP_GATEWAYS = "DELETE FROM tenant_gateways WHERE tenant_id = %s AND gateway <> ALL(%s)"


@dataclass(frozen=True, slots=True)
class Account:
    """How a tenant uses a gateway."""

    dialect: str
    flag: Flag


def put(connection: Connection, *, tenant: str, pixel_id: str, timezone: str, dialects: Mapping[str, str]) -> None:
    """Write a tenant and its gateways; what it no longer uses is taken away."""
    with connection.transaction():
        connection.execute(_PUT, {"id": tenant, "pixel_id": pixel_id, "timezone": timezone})
        connection.execute(_DROP_GATEWAYS, [tenant, list(dialects)])
        with connection.cursor() as cursor:
            cursor.executemany(_PUT_GATEWAY, [(tenant, gateway, dialect) for gateway, dialect in dialects.items()])


def exists(connection: Connection, tenant: str) -> bool:
    """Whether there is such a tenant."""
    return connection.execute("SELECT 1 FROM tenants WHERE id = %s", [tenant]).fetchone() is not None


def account(connection: Connection, tenant: str, gateway: str) -> Account | None:
    """How the tenant uses the gateway; None where it does not."""
    row = connection.execute(
        "SELECT dialect, flag FROM tenant_gateways WHERE tenant_id = %s AND gateway = %s", [tenant, gateway]
    ).fetchone()
    return None if row is None else Account(*row)
