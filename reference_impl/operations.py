"""What an operator can do while the pipeline runs: one function for each action, JSON in, JSON out.

The single commands (`python -m reference_impl flag set`) and `python -m reference_impl operate` call the same ones.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from reference_impl import bootstrap, provisioning, sealing, users
from reference_impl.db import people, tenants
from reference_impl.dispatch.loops import Session
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.redrive import redrive
from reference_impl.domain import client
from reference_impl.domain.conversion import Buyer
from reference_impl.domain.event_id import event_id
from reference_impl.domain.hashing import hash_buyer
from reference_impl.provisioning import Connection, NotProvisioned
from reference_impl.secrets import SecretStore
from reference_impl.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_DAY_S = 86_400
_TRIES = 5


class Resources:
    """The database and AWS, as actions use them: opened at the first use, and kept for the next action.

    Only connections are kept, so an action sees what a new process would see. Each thread has its own connection.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._own = threading.local()
        self._sessions: list[Session] = []
        self._lock = threading.Lock()  # boto3's default session, which makes the clients, is not for threads
        self._secrets: SecretStore | None = None
        self._sqs: SQSClient | None = None

    def connection(self) -> Connection:
        """Return a connection that has just answered. Raises psycopg.OperationalError while the database is away."""
        if not hasattr(self._own, "session"):
            self._own.session = Session(partial(_connect, self.settings))
            self._sessions.append(self._own.session)
        return self._own.session.alive()  # type: ignore[no-any-return]  # threading.local knows no types

    def secrets(self) -> SecretStore:
        """Return the secret store."""
        with self._lock:
            if self._secrets is None:
                self._secrets = bootstrap.secret_store()
            return self._secrets

    def sqs(self) -> SQSClient:
        """Return the client of SQS."""
        with self._lock:
            if self._sqs is None:
                self._sqs = bootstrap.sqs_client()
            return self._sqs

    def close(self) -> None:
        """Close the connections of all threads."""
        for session in self._sessions:
            session.close()


def _connect(settings: Settings) -> Connection:
    connection = bootstrap.connect(settings)
    # A prepared statement fails once a migration has changed its columns, and this connection may outlive one.
    connection.prepare_threshold = None
    return connection


Action = Callable[[Mapping[str, Any], Resources], Mapping[str, Any]]


def carry_out(name: str, given: object, resources: Resources) -> Mapping[str, Any]:
    """Carry out an action and return its output.

    Raises:
        NotProvisioned: there is no such action, or it refuses its input.
    """
    if name not in ACTIONS:
        raise NotProvisioned(f"There is no action {name!r}. Known: {', '.join(sorted(ACTIONS))}.")
    if not isinstance(given, Mapping):
        raise NotProvisioned("The input must be a JSON object.")
    return ACTIONS[name](given, resources)


def provision(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Make tenants known, all at once; again replaces them."""
    wishes = provisioning.read_tenants(given)
    connection = resources.connection()
    for wish in wishes:
        provisioning.put_tenant(connection, resources.secrets(), wish)
    return {"tenants": [{"tenant": wish.tenant} for wish in wishes]}


def set_meta_token(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Give a tenant a new Meta token."""
    wish = provisioning.read(provisioning.TokenWish, given)
    provisioning.put_token(resources.connection(), resources.secrets(), wish)
    return {"tenant": wish.tenant}


def rotate_secret(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Give a gateway a new secret beside the one before it, or end that one."""
    wish = provisioning.read(provisioning.SecretWish, given)
    secret = provisioning.put_secret(resources.connection(), resources.secrets(), wish, now_s=time.time())
    return {
        "tenant": wish.tenant,
        "gateway": wish.gateway,
        "valid": len(secret.values),
        "previous_until_s": secret.previous_until_s,
    }


def set_flag(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Set a flag, at once."""
    wish = provisioning.read(provisioning.FlagWish, given)
    return {"flag": wish.flag, "released": provisioning.put_flag(resources.connection(), wish)}


def set_allowlist(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Replace a list of allowed addresses, at once."""
    wish = provisioning.read(provisioning.AllowWish, given)
    provisioning.put_allowed(resources.connection(), wish)
    return {"gateway": wish.gateway, "tenant": wish.tenant, "allow": wish.allow}


def rotate_keys(_: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Seal under a new data key from now on; the keys before it open as long as what they have sealed is kept."""
    # A day more, for processes that have not looked at the keys for a while.
    keep_s = (resources.settings.client_days + 1) * _DAY_S
    return {"keys": resources.secrets().add_data_key(sealing.new_key(), now_s=time.time(), keep_s=keep_s)}


def export_person(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Return everything that is stored of one person at one tenant."""
    wish = provisioning.read(provisioning.PersonWish, given)
    seals = bootstrap.sealer(resources.secrets())  # for this action only, so that the keys are read anew
    connection = resources.connection()
    rows_by_table = people.export(connection, _person(connection, wish))
    for row in (row for rows in rows_by_table.values() for row in rows):
        sealed = row.pop("client_sealed", None)
        if sealed:
            opened = seals.open(sealed)
            row["client"] = client.to_user_data(opened) if opened else "no key opens it any more"
    plain: dict[str, Any] = json.loads(json.dumps(rows_by_table, default=str))
    return {"tenant": wish.tenant, **plain}


def erase_person(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Erase one person at one tenant, and stop what has not been sent of them."""
    wish = provisioning.read(provisioning.PersonWish, given)
    connection = resources.connection()
    person = _person(connection, wish)
    for tries_left in reversed(range(_TRIES)):
        try:
            return {"tenant": wish.tenant, "erased": people.erase(connection, person)}
        except psycopg.errors.DeadlockDetected:
            # A consumer had the same rows in another order. PostgreSQL has chosen who goes first; we go next.
            if not tries_left:
                raise
    raise AssertionError("the loop returns or raises")


def create_user(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Let a tenant's user log in to the dashboard; again gives a new password."""
    return users.create(resources.connection(), given)


def delete_user(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Let a user in no longer."""
    return users.delete(resources.connection(), given)


def compute_event_id(given: Mapping[str, Any], _: Resources) -> Mapping[str, Any]:
    """Compute a sale's event id."""
    try:
        name = event_id(
            tenant=given["tenant"],
            gateway=given["gateway"],
            sale_id=given["sale_id"],
            kind=given.get("kind", "purchase"),
        )
    except (ValueError, KeyError, TypeError):
        raise NotProvisioned("Wanted: {tenant, gateway, sale_id, kind}.") from None
    return {"event_id": name}


def redrive_dead_letters(given: Mapping[str, Any], resources: Resources) -> Mapping[str, Any]:
    """Put the dead letters back into the outbox, once, and return what became of them."""
    request = provisioning.read(provisioning.RedriveRequest, given)
    sqs = resources.sqs()
    dead_letters = Queue(sqs, partial(bootstrap.queue_url, sqs, resources.settings.dlq_name))
    return redrive(resources.connection(), dead_letters, accept_duplicates=request.accept_duplicates).to_json()


#: By the names that docs/contracts.md gives them.
ACTIONS: Mapping[str, Action] = {
    "provision": provision,
    "set_meta_token": set_meta_token,
    "event_id": compute_event_id,
    "redrive": redrive_dead_letters,
    "set_flag": set_flag,
    "set_allowlist": set_allowlist,
    "rotate_secret": rotate_secret,
    "rotate_keys": rotate_keys,
    "export_person": export_person,
    "erase_person": erase_person,
    "create_user": create_user,
    "delete_user": delete_user,
}


def _person(connection: Connection, wish: provisioning.PersonWish) -> people.Person:
    """Return the person by their hashes. Raises NotProvisioned."""
    if not tenants.exists(connection, wish.tenant):
        raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
    keys = hash_buyer(Buyer(email=wish.email, phone=wish.phone, country=wish.country))
    if keys.em is None and keys.ph is None:
        raise NotProvisioned("email or phone: one of them must be given, and be readable as one.")
    if (wish.email and keys.em is None) or (wish.phone and keys.ph is None):
        raise NotProvisioned("email or phone: what was given cannot be read as one.")
    return people.Person(tenant=wish.tenant, em=keys.em, ph=keys.ph)
