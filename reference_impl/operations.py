"""What an operator changes while the pipeline runs: JSON in, JSON out, or NotProvisioned."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from reference_impl import bootstrap, provisioning, sealing
from reference_impl.db import people, tenants
from reference_impl.domain import client
from reference_impl.domain.conversion import Buyer
from reference_impl.domain.hashing import hash_buyer
from reference_impl.provisioning import NotProvisioned
from reference_impl.settings import Settings

_DAY_S = 86_400
_TRIES = 5

Operation = Callable[[str, Settings], Mapping[str, Any]]


def tenant_secret(text: str, settings: Settings) -> Mapping[str, Any]:
    """A new gateway secret beside the one before it, or the end of that one."""
    wish = provisioning.read(provisioning.SecretWish, text)
    with bootstrap.connect(settings) as connection:
        secret = provisioning.put_secret(connection, bootstrap.secret_store(), wish, now_s=time.time())
    return {
        "tenant": wish.tenant,
        "gateway": wish.gateway,
        "valid": len(secret.values),
        "previous_until_s": secret.previous_until_s,
    }


def flag_set(text: str, settings: Settings) -> Mapping[str, Any]:
    """A flag, at once."""
    wish = provisioning.read(provisioning.FlagWish, text)
    with bootstrap.connect(settings) as connection:
        released = provisioning.put_flag(connection, wish)
    return {"flag": wish.flag, "released": released}


def allowlist_set(text: str, settings: Settings) -> Mapping[str, Any]:
    """A list of allowed addresses, at once."""
    wish = provisioning.read(provisioning.AllowWish, text)
    with bootstrap.connect(settings) as connection:
        provisioning.put_allowed(connection, wish)
    return {"gateway": wish.gateway, "tenant": wish.tenant, "allow": wish.allow}


def keys_rotate(_: str, settings: Settings) -> Mapping[str, Any]:
    """A new data key seals from now on; those before it open as long as what they have sealed is kept."""
    # A day more, for processes that have not looked at the keys for a while.
    keep_s = (settings.client_days + 1) * _DAY_S
    keys = bootstrap.secret_store().add_data_key(sealing.new_key(), now_s=time.time(), keep_s=keep_s)
    return {"keys": keys}


def person_export(text: str, settings: Settings) -> Mapping[str, Any]:
    """Everything that is stored of one person at one tenant."""
    wish = provisioning.read(provisioning.PersonWish, text)
    seals = bootstrap.sealer(bootstrap.secret_store())
    with bootstrap.connect(settings) as connection:
        found = people.export(connection, _person(connection, wish))
    for row in (row for rows in found.values() for row in rows):
        sealed = row.pop("client_sealed", None)
        if sealed:
            opened = seals.open(sealed)
            row["client"] = client.to_user_data(opened) if opened else "no key opens it any more"
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return {"tenant": wish.tenant, **plain}


def person_erase(text: str, settings: Settings) -> Mapping[str, Any]:
    """Nothing of that person is left at that tenant, and nothing more is sent of them."""
    wish = provisioning.read(provisioning.PersonWish, text)
    with bootstrap.connect(settings) as connection:
        person = _person(connection, wish)
        for tries_left in reversed(range(_TRIES)):
            try:
                return {"tenant": wish.tenant, "erased": people.erase(connection, person)}
            except psycopg.errors.DeadlockDetected:
                # A consumer had the same rows in another order. PostgreSQL has chosen who goes first; we go next.
                if not tries_left:
                    raise
    raise AssertionError("the loop returns or raises")


def _person(connection: provisioning.Connection, wish: provisioning.PersonWish) -> people.Person:
    """The person by their hashes. Raises NotProvisioned."""
    if not tenants.exists(connection, wish.tenant):
        raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
    keys = hash_buyer(Buyer(email=wish.email, phone=wish.phone, country=wish.country))
    if keys.em is None and keys.ph is None:
        raise NotProvisioned("email or phone: one of them must be given, and be readable as one.")
    if (wish.email and keys.em is None) or (wish.phone and keys.ph is None):
        raise NotProvisioned("email or phone: what was given cannot be read as one.")
    return people.Person(tenant=wish.tenant, em=keys.em, ph=keys.ph)
