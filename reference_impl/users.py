"""Who may look at a tenant's dashboard: `user create` and `user delete`, JSON in; and how passwords are kept.

A password is never an argument of a command (every user of the machine can read those) and never in an answer.
"""

from __future__ import annotations

from typing import Annotated, Any

import psycopg
from pydantic import BaseModel, ConfigDict, StringConstraints
from werkzeug.security import check_password_hash, generate_password_hash

from reference_impl.db import logins, tenants
from reference_impl.provisioning import NotProvisioned, read

Connection = psycopg.Connection[tuple[Any, ...]]

#: scrypt with 32 MiB and three passes: OWASP's Password Storage Cheat Sheet (read 2026-11).
_METHOD = "scrypt:32768:8:3"
#: What a password is compared with where there is no such user: as slow as a real one, and never right.
_NOBODY = f"{_METHOD}$0000000000000000${'0' * 128}"

#: A name is no e-mail address: those are personal data, and stand nowhere in plain text.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{2,63}$"
PASSWORD_MAX = 256


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class UserWish(_Model):
    """A user who shall be let in."""

    tenant: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    password: Annotated[str, StringConstraints(min_length=12, max_length=PASSWORD_MAX)]


class UserGone(_Model):
    """A user who shall be let in no longer."""

    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def create(connection: Connection, given: object) -> dict[str, str]:
    """Let a user in, or give them a new password, and return their name and tenant.

    Raises:
        NotProvisioned: the input is not as wanted, there is no such tenant, or the name is another tenant's.
    """
    wish = read(UserWish, given)
    if not tenants.exists(connection, wish.tenant):
        raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
    kept = generate_password_hash(wish.password, method=_METHOD)
    if not logins.put(connection, name=wish.name, tenant=wish.tenant, password_hash=kept):
        raise NotProvisioned(f"The name {wish.name!r} is taken by a user of another tenant.")
    return {"name": wish.name, "tenant": wish.tenant}


def delete(connection: Connection, given: object) -> dict[str, str]:
    """Let a user in no longer, and return their name.

    Raises:
        NotProvisioned: the input is not as wanted, or there is no such user.
    """
    name = read(UserGone, given).name
    if not logins.drop(connection, name):
        raise NotProvisioned(f"There is no user {name!r}.")
    return {"name": name}


def right(password: str, kept: str | None) -> bool:
    """Whether it is the password that was kept; as slow where nothing was kept."""
    return check_password_hash(kept or _NOBODY, password) and kept is not None
