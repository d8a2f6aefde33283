"""The dashboard's users, their sessions, and the logins that failed of late. All times are the database's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

# A name is one tenant's for good: taking it over would show that tenant's numbers to somebody else's sessions.
_PUT = """
INSERT INTO dashboard_users (name, tenant_id, password_hash) VALUES (%(name)s, %(tenant)s, %(hash)s)
ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash
WHERE dashboard_users.tenant_id = excluded.tenant_id
"""
# Counted before the password is looked at: many tries at once are many tries.
_TRY = """
INSERT INTO dashboard_failures AS f (name_hash, failures, until)
VALUES (%(name)s, 1, now() + make_interval(secs => %(window_s)s))
ON CONFLICT (name_hash) DO UPDATE SET
    failures = CASE WHEN f.until <= now() THEN 1 ELSE f.failures + 1 END,
    until = CASE WHEN f.until <= now() THEN excluded.until ELSE f.until END
RETURNING failures, extract(epoch FROM until - now())::float8
"""
_SWEEP = """
DELETE FROM dashboard_failures
WHERE name_hash IN (SELECT name_hash FROM dashboard_failures WHERE until <= now() FOR UPDATE SKIP LOCKED)
"""
_SESSION = """
SELECT u.name, u.tenant_id FROM dashboard_sessions s JOIN dashboard_users u USING (name)
WHERE s.token_hash = %s AND s.expires_at > now()
"""
_OPEN = """
INSERT INTO dashboard_sessions (token_hash, name, expires_at) VALUES (%s, %s, now() + make_interval(hours => %s))
"""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is logged in, and whose numbers they see."""

    name: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a name was tried without success, and for how long that counts."""

    count: int
    """This one included."""
    left_s: float


def put(connection: Connection, *, name: str, tenant: str, password_hash: str) -> bool:
    """Write a user, or a new password, which ends all sessions; False where the name is another tenant's."""
    with connection.transaction():
        done = connection.execute(_PUT, {"name": name, "tenant": tenant, "hash": password_hash}).rowcount == 1
        if done:
            connection.execute("DELETE FROM dashboard_sessions WHERE name = %s", [name])
    return done


def drop(connection: Connection, name: str) -> bool:
    """Forget a user and all sessions; whether there was one."""
    return connection.execute("DELETE FROM dashboard_users WHERE name = %s", [name]).rowcount == 1


def password_hash(connection: Connection, name: str) -> str | None:
    """What is kept of a user's password."""
    row = connection.execute("SELECT password_hash FROM dashboard_users WHERE name = %s", [name]).fetchone()
    return row[0] if row else None


def count_try(connection: Connection, name_hash: str, *, window_s: float) -> Tries:
    """Count one more try of a name or from an address, by its hash; the count begins anew `window_s` after its first.

    What is over is swept up, so that no hash of an address stays because nobody logs in.
    """
    connection.execute(_SWEEP)
    row = connection.execute(_TRY, {"name": name_hash, "window_s": window_s}).fetchone()
    assert row is not None
    return Tries(*row)


def forgive_try(connection: Connection, name_hash: str) -> None:
    """Take one try back, which was none of those that are counted here."""
    connection.execute(
        "UPDATE dashboard_failures SET failures = failures - 1 WHERE name_hash = %s AND failures > 0", [name_hash]
    )


def open_session(connection: Connection, *, name: str, name_hash: str, token_hash: str, hours: int) -> None:
    """Remember a browser that has logged in, and forget the tries before it; sessions that are over are swept up."""
    with connection.transaction():
        connection.execute("DELETE FROM dashboard_failures WHERE name_hash = %s", [name_hash])
        connection.execute("DELETE FROM dashboard_sessions WHERE expires_at <= now()")
        connection.execute(_OPEN, [token_hash, name, hours])


def viewer(connection: Connection, token_hash: str) -> Viewer | None:
    """Whose session it is; None for one that is unknown or over."""
    row = connection.execute(_SESSION, [token_hash]).fetchone()
    return Viewer(*row) if row else None


def close_session(connection: Connection, token_hash: str) -> None:
    """Forget a session."""
    connection.execute("DELETE FROM dashboard_sessions WHERE token_hash = %s", [token_hash])
