"""What an operator changes at the front door while it is open: flags and allowed addresses.

A process remembers it, and compares it again before it writes or refuses anything: what is changed holds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from reference_impl.domain.door import Flag

Connection = psycopg.Connection[tuple[Any, ...]]

_SET: dict[str, tuple[LiteralString, LiteralString]] = {
    "flag": (
        "INSERT INTO gateways (gateway, flag) VALUES (%(gateway)s, %(value)s) "
        "ON CONFLICT (gateway) DO UPDATE SET flag = excluded.flag",
        "UPDATE tenant_gateways SET flag = %(value)s "
        "WHERE tenant_id = %(tenant)s AND gateway = coalesce(%(gateway)s, gateway)",
    ),
    "allowed": (
        "INSERT INTO gateways (gateway, allowed) VALUES (%(gateway)s, %(value)s) "
        "ON CONFLICT (gateway) DO UPDATE SET allowed = excluded.allowed",
        "UPDATE tenant_gateways SET allowed = %(value)s "
        "WHERE tenant_id = %(tenant)s AND gateway = coalesce(%(gateway)s, gateway)",
    ),
}
# What is held for a flag and need not be any more. Whoever holds something at this moment has locked the flag's row.
_RELEASE = """
UPDATE conversions c SET held_until = now(), hold_reason = 'released'
WHERE c.state = 'held' AND c.hold_reason = 'flag'
  AND c.tenant_id = coalesce(%(tenant)s, c.tenant_id) AND c.gateway = coalesce(%(gateway)s, c.gateway)
  AND NOT EXISTS (SELECT FROM gateways g WHERE g.gateway = c.gateway AND g.flag <> 'on')
  AND NOT EXISTS (SELECT FROM tenant_gateways t
                  WHERE (t.tenant_id, t.gateway) = (c.tenant_id, c.gateway) AND t.flag <> 'on')
"""
_LOCKED_FLAGS = (
    "SELECT flag FROM gateways WHERE gateway = %(gateway)s FOR SHARE",
    "SELECT flag FROM tenant_gateways WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s FOR SHARE",
)


def set_flag(connection: Connection, *, tenant: str | None, gateway: str | None, flag: Flag) -> tuple[int, int]:
    """Set a gateway's flag, a tenant's, or that of one gateway at one tenant; (rows set, conversions released)."""
    values = {"tenant": tenant, "gateway": gateway}
    with connection.transaction():
        found = _set(connection, "flag", values, flag)
        released = connection.execute(_RELEASE, values).rowcount if found else 0
        if released:
            connection.execute("SELECT pg_notify('outbox', '')")
    return found, released


def set_allowed(connection: Connection, *, tenant: str | None, gateway: str, allowed: Sequence[str]) -> int:
    """Replace a list of allowed addresses; how many rows were set: 0 where the tenant does not use the gateway."""
    return _set(connection, "allowed", {"tenant": tenant, "gateway": gateway}, list(allowed))


def _set(connection: Connection, what: str, values: dict[str, Any], value: Any) -> int:
    whole, one = _SET[what]
    return connection.execute(whole if values["tenant"] is None else one, {**values, "value": value}).rowcount


def still_held(connection: Connection, *, tenant: str, gateway: str) -> bool:
    """Whether a flag is still in the way of sending, seen inside the transaction that would hold something.

    The rows stay locked until its end: a switch to `on` waits for it and releases what it has written, or comes
    first and is seen here. Without that, what was held in the moment of the switch would stay so for ever.
    """
    values = {"tenant": tenant, "gateway": gateway}
    rows = [row for query in _LOCKED_FLAGS for row in connection.execute(query, values).fetchall()]
    return any(flag != "on" for (flag,) in rows)
