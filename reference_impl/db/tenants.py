"""Tenants and the gateways that they use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from reference_impl.domain.door import Flag, stricter

Connection = psycopg.Connection[tuple[Any, ...]]

_PUT = """
INSERT INTO tenants (id, pixel_id, timezone) VALUES (%(id)s, %(pixel_id)s, %(timezone)s)
ON CONFLICT (id) DO UPDATE SET pixel_id = excluded.pixel_id, timezone = excluded.timezone
"""
_PUT_GATEWAY = """
INSERT INTO tenant_gateways (tenant_id, gateway, dialect) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, gateway) DO UPDATE SET dialect = excluded.dialect
"""
_DROP_GATEWAYS = "DELETE FROM tenant_gateways WHERE tenant_id = %s AND gateway <> ALL(%s)"

# All that a webhook must know before it is believed. What a process remembers of it is compared again before anything
# is written (conversions.py) or refused (web/webhooks.py).
_ACCOUNT = """
SELECT u.dialect, u.flag, coalesce(g.flag, 'on'), coalesce(nullif(u.allowed, '{}'), g.allowed, '{}'), u.secrets_version
FROM tenant_gateways u LEFT JOIN gateways g ON g.gateway = u.gateway
WHERE u.tenant_id = %s AND u.gateway = %s
"""
_CHANGED_SECRETS = """
UPDATE tenant_gateways SET secrets_version = changed.version
FROM (SELECT nextval('secrets_versions') AS version) AS changed WHERE tenant_id = %s
"""


@dataclass(frozen=True, slots=True)
class Account:
    """How a tenant uses a gateway."""

    dialect: str
    flag: Flag
    """The gateway's or the tenant's, whichever is stricter."""
    allowed: Sequence[str]
    """From where it may be told of: the tenant's own list, else the gateway's; empty: from anywhere."""
    secrets_version: int
    """Another one: what is cached of the tenant's gateway secrets is out of date."""


def put(connection: Connection, *, tenant: str, pixel_id: str, timezone: str, dialects: Mapping[str, str]) -> None:
    """Write a tenant and its gateways; what it no longer uses is taken away."""
    with connection.transaction():
        connection.execute(_PUT, {"id": tenant, "pixel_id": pixel_id, "timezone": timezone})
        connection.execute(_DROP_GATEWAYS, [tenant, list(dialects)])
        with connection.cursor() as cursor:
            cursor.executemany(_PUT_GATEWAY, [(tenant, gateway, dialect) for gateway, dialect in dialects.items()])
        secrets_changed(connection, tenant)


def exists(connection: Connection, tenant: str) -> bool:
    """Whether there is such a tenant."""
    return connection.execute("SELECT 1 FROM tenants WHERE id = %s", [tenant]).fetchone() is not None


def lock(connection: Connection, tenant: str) -> bool:
    """Keep other changes of a tenant (and no webhook) away until the transaction ends; whether there is that tenant."""
    found = connection.execute("SELECT 1 FROM tenants WHERE id = %s FOR NO KEY UPDATE", [tenant])
    return found.fetchone() is not None


def account(connection: Connection, tenant: str, gateway: str) -> Account | None:
    """How the tenant uses the gateway; None where it does not."""
    row = connection.execute(_ACCOUNT, [tenant, gateway]).fetchone()
    return None if row is None else as_account(row)


def as_account(row: Sequence[Any]) -> Account | None:
    """From what `_ACCOUNT` selects; None where an outer join found nothing."""
    dialect, own, general, allowed, version = row
    return None if dialect is None else Account(dialect, stricter(own, general), allowed, version)


def secrets_changed(connection: Connection, tenant: str) -> None:
    """No process may go on with gateway secrets that it has cached of this tenant. Call it after they are written."""
    connection.execute(_CHANGED_SECRETS, [tenant])
