"""Everything that is stored of one person at one tenant: found by their hashes, shown to them, or erased.

A person is whoever left that e-mail or phone. Through the click that a purchase of theirs was matched to, and the
browser (`fbp`) that it was made with, what carries no hash of anybody belongs to them as well; what carries somebody
else's hash does not, because devices are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_CONVERSIONS: LiteralString = """
SELECT id, user_data->>'fbp' FROM conversions
WHERE tenant_id = %(tenant)s AND (user_data->'em' ? %(em)s::text OR user_data->'ph' ? %(ph)s::text)
"""
_CLICKS: LiteralString = """
SELECT click_id, fbp FROM clicks
WHERE tenant_id = %(tenant)s
  AND (em = %(em)s OR ph = %(ph)s
       OR (em IS NULL AND ph IS NULL
           AND (fbp = ANY(%(browsers)s)
                OR click_id IN (SELECT click_id FROM matches WHERE conversion_id = ANY(%(conversions)s)))))
"""
_WITHOUT_HASHES: LiteralString = """
SELECT c.id FROM conversions c
WHERE c.tenant_id = %(tenant)s AND NOT (c.user_data ?| ARRAY['em', 'ph'])
  AND (c.user_data->>'fbp' = ANY(%(browsers)s) OR c.click_id = ANY(%(clicks)s)
       OR c.id IN (SELECT conversion_id FROM matches WHERE tenant_id = %(tenant)s AND click_id = ANY(%(clicks)s)))
"""
# In one order for all, and before anything is changed.
_LOCK: LiteralString = """
SELECT state IN ('pending', 'queued') AND claimed_until > now() FROM conversions
WHERE id = ANY(%(conversions)s) ORDER BY id FOR UPDATE
"""
# The lease of what is being sent stays: its consumer must still be able to say that Meta has counted it, and to say
# nothing else. Amount and product stay: they are the books', and nobody's.
_ERASE: LiteralString = """
UPDATE conversions
SET user_data = '{}', client_sealed = NULL, client_expires_at = NULL, click_id = NULL, source_url = NULL,
    state = CASE WHEN state = ANY(%(stopped)s) THEN 'suppressed' ELSE state END,
    hold_reason = CASE WHEN state = ANY(%(stopped)s) THEN 'erased' ELSE hold_reason END,
    held_until = NULL
WHERE id = ANY(%(conversions)s)
"""
_STOPPED = ["pending", "queued", "held", "dead_lettered"]
_COUNT_STOPPED: LiteralString = (
    "SELECT count(*) FROM conversions WHERE id = ANY(%(conversions)s) AND state = ANY(%(stopped)s)"
)
_DELETE: dict[str, LiteralString] = {
    "outbox": "DELETE FROM outbox WHERE conversion_id = ANY(%(conversions)s)",
    "matches": "DELETE FROM matches WHERE conversion_id = ANY(%(conversions)s)",
    "visits": "DELETE FROM visits WHERE tenant_id = %(tenant)s AND click_id = ANY(%(clicks)s)",
    "clicks": "DELETE FROM clicks WHERE tenant_id = %(tenant)s AND click_id = ANY(%(clicks)s)",
}
# Whole rows, so that a column that comes later is shown without anybody thinking of it.
_SHOW: dict[str, LiteralString] = {
    "conversions": (
        "SELECT to_jsonb(c) FROM conversions c WHERE id = ANY(%(conversions)s) AND kind = 'purchase' "
        "ORDER BY received_at, id"
    ),
    "matches": "SELECT to_jsonb(m) FROM matches m WHERE conversion_id = ANY(%(conversions)s) ORDER BY created_at",
    "dispatch_attempts": (
        "SELECT to_jsonb(d) FROM dispatch_attempts d WHERE conversion_id = ANY(%(conversions)s) ORDER BY id"
    ),
    "clicks": (
        "SELECT to_jsonb(c) FROM clicks c WHERE tenant_id = %(tenant)s AND click_id = ANY(%(clicks)s) "
        "ORDER BY clicked_at"
    ),
    "visits": (
        "SELECT to_jsonb(c) FROM conversions c WHERE id = ANY(%(conversions)s) AND kind <> 'purchase' "
        "UNION ALL SELECT to_jsonb(v) FROM visits v WHERE tenant_id = %(tenant)s AND click_id = ANY(%(clicks)s) "
        "ORDER BY 1"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is asked about: at least one of the two hashes."""

    tenant: str
    em: str | None = field(repr=False)
    ph: str | None = field(repr=False)


def export(connection: Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row that is about the person, by table; what is sealed is still sealed."""
    with connection.transaction():
        values = _found(connection, person)
        return {table: [row[0] for row in connection.execute(query, values)] for table, query in _SHOW.items()}


def erase(connection: Connection, person: Person) -> dict[str, int]:
    """Take the person out of every row, and stop what has not been sent; what was done, in counts.

    The rows of `dedupe_registry` stay as tombstones (a sale's id, nothing of its buyer), so that a delivery that comes
    again makes nothing new. A call to Meta that is under way cannot be taken back: `in_flight` counts its
    conversions, which end as delivered or suppressed and are not sent again.

    Raises:
        psycopg.errors.DeadlockDetected: another process had the same rows in hand; nothing was done.
    """
    with connection.transaction():
        values = {**_found(connection, person), "stopped": _STOPPED}
        in_flight = sum(bool(row[0]) for row in connection.execute(_LOCK, values).fetchall())
        stopped = connection.execute(_COUNT_STOPPED, values).fetchone()
        assert stopped is not None
        connection.execute(_ERASE, values)
        deleted = {table: connection.execute(query, values).rowcount for table, query in _DELETE.items()}
    return {
        "conversions": len(values["conversions"]),
        "suppressed": stopped[0],
        "in_flight": in_flight,
        **deleted,
    }


def _found(connection: Connection, person: Person) -> dict[str, Any]:
    """The ids of the person's conversions and clicks, as parameters of the queries above."""
    values: dict[str, Any] = {"tenant": person.tenant, "em": person.em, "ph": person.ph, "browsers": []}
    own = connection.execute(_CONVERSIONS, values).fetchall()
    values["conversions"] = conversions = [row[0] for row in own]
    # Twice: the clicks that the person is known by tell of browsers, whose other clicks are theirs too.
    clicks: list[tuple[str, str | None]] = connection.execute(_CLICKS, values).fetchall()
    values["browsers"] = _distinct([row[1] for row in (*own, *clicks)])
    values["clicks"] = [row[0] for row in connection.execute(_CLICKS, values).fetchall()]
    nameless: list[UUID] = [row[0] for row in connection.execute(_WITHOUT_HASHES, values).fetchall()]
    values["conversions"] = sorted({*conversions, *nameless})
    return values


def _distinct(values: Sequence[str | None]) -> list[str]:
    return sorted({value for value in values if value})
