"""What operators hand in, as JSON: checked whole before anything is written."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any, Literal, TypeVar

import psycopg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from reference_impl import gateways
from reference_impl.db import doors, tenants
from reference_impl.domain import door
from reference_impl.secrets import GatewaySecret, SecretStore

Connection = psycopg.Connection[tuple[Any, ...]]


class NotProvisioned(Exception):
    """What was asked for cannot be done; the message names fields, never secrets."""


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError("no such time zone") from None
    return name


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Secret = Annotated[str, StringConstraints(min_length=8, max_length=500, strip_whitespace=True)]


def _known_gateway(name: str) -> str:
    if name not in gateways.known():
        raise ValueError(f"there is no such gateway; known: {', '.join(sorted(gateways.known()))}")
    return name


Gateway = Annotated[Word, AfterValidator(_known_gateway)]
Range = Annotated[str, StringConstraints(max_length=64), AfterValidator(door.network)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class GatewayWish(_Model):
    """A gateway that the tenant will use. An empty secret would prove nothing, so there is none."""

    dialect: Literal["plan", "vendor"]
    secret: Secret


class TenantWish(_Model):
    """One tenant, as docs/contracts.md describes it."""

    tenant: Word
    timezone: Annotated[str, AfterValidator(_known_zone)] = "America/Sao_Paulo"
    pixel_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
    meta_token: Secret
    meta_token_expires_at_s: int | None = None
    gateways: dict[Word, GatewayWish]


class Wishes(_Model):
    """All tenants of one call."""

    tenants: list[TenantWish]


class TokenWish(_Model):
    """A new Meta token for a tenant."""

    tenant: Word
    meta_token: Secret
    meta_token_expires_at_s: int | None = None


class SecretWish(_Model):
    """A new secret for one of a tenant's gateways, or the end of the one before it."""

    tenant: Word
    gateway: Gateway
    secret: Secret | None = None
    overlap_s: int = Field(default=86_400, ge=0, le=30 * 86_400)
    """For so long the secret before it is good as well. 0: it is not, from now on."""
    end_overlap: bool = False
    """Nothing new: the secret before the current one is good no longer."""


class FlagWish(_Model):
    """A flag for a gateway, for a tenant, or for one gateway at one tenant."""

    gateway: Gateway | None = None
    tenant: Word | None = None
    flag: door.Flag


class AllowWish(_Model):
    """From where a gateway may deliver: to all, or to one tenant, whose list then takes the place of the other."""

    gateway: Gateway
    tenant: Word | None = None
    allow: Annotated[list[Range], Field(max_length=1000)]
    """Addresses and CIDR ranges; none: from anywhere."""


class PersonWish(_Model):
    """One person at one tenant, in plain text; it is hashed at once and goes nowhere."""

    tenant: Word
    email: Annotated[str, StringConstraints(max_length=500)] | None = Field(default=None, repr=False)
    phone: Annotated[str, StringConstraints(max_length=100)] | None = Field(default=None, repr=False)
    country: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")] = "BR"
    """How a phone without its country's code is read."""


class RedriveRequest(_Model):
    """The dead letters of all tenants."""

    accept_duplicates: bool = False
    """Also what Meta may have counted so long ago that it would count it again."""


Model = TypeVar("Model", bound=BaseModel)


def parsed(text: str) -> object:
    """Return what a JSON text says. Raises NotProvisioned."""
    try:
        return from_json(text)
    except ValueError as error:
        raise NotProvisioned(f"input: Invalid JSON: {error}") from None


def read(kind: type[Model], given: object) -> Model:
    """Return an action's input, checked. Raises NotProvisioned."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise NotProvisioned(_complaint(error)) from None


def read_tenants(given: object) -> list[TenantWish]:
    """Return the tenants asked for, all of them good.

    Raises:
        NotProvisioned: one is not; none has been written.
    """
    wishes = read(Wishes, given).tenants
    for wish in wishes:
        for name, account in wish.gateways.items():
            known = gateways.known().get(name)
            if known is None:
                raise NotProvisioned(f"There is no gateway {name!r}. Known: {', '.join(sorted(gateways.known()))}.")
            if account.dialect not in known.dialects:
                raise NotProvisioned(f"{name} does not speak {account.dialect!r}, only {', '.join(known.dialects)}.")
    return wishes


def put_tenant(connection: Connection, store: SecretStore, wish: TenantWish) -> None:
    """Write one tenant. The secrets go first: a tenant without them would refuse its gateways."""
    secrets = {name: GatewaySecret(values=[account.secret]) for name, account in wish.gateways.items()}
    store.put_gateway_secrets(wish.tenant, secrets)
    store.put_meta(wish.tenant, token=wish.meta_token, expires_at_s=wish.meta_token_expires_at_s)
    dialects = {name: account.dialect for name, account in wish.gateways.items()}
    tenants.put(connection, tenant=wish.tenant, pixel_id=wish.pixel_id, timezone=wish.timezone, dialects=dialects)


def put_token(connection: Connection, store: SecretStore, wish: TokenWish) -> None:
    """Write a new version of a tenant's token. Raises NotProvisioned for an unknown tenant."""
    if not tenants.exists(connection, wish.tenant):
        raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
    store.put_meta(wish.tenant, token=wish.meta_token, expires_at_s=wish.meta_token_expires_at_s)


def put_secret(connection: Connection, store: SecretStore, wish: SecretWish, *, now_s: float) -> GatewaySecret:
    """Rotate one secret, for all processes at once. The current value again changes nothing but the overlap's end.

    Raises:
        NotProvisioned: an unknown tenant or account, or nothing to do.
    """
    if (wish.secret is None) is not wish.end_overlap:
        raise NotProvisioned("Either secret or end_overlap must be given.")
    with connection.transaction():
        # Read, changed and written: two commands at once would lose one of their secrets.
        if not tenants.lock(connection, wish.tenant):
            raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
        if tenants.account(connection, wish.tenant, wish.gateway) is None:
            raise NotProvisioned(f"{wish.tenant} does not use {wish.gateway}.")
        known = dict(store.gateway_secrets(wish.tenant))
        rotated = known[wish.gateway] = _rotated(known.get(wish.gateway), wish, now_s=now_s)
        store.put_gateway_secrets(wish.tenant, known)
        tenants.secrets_changed(connection, wish.tenant)
    return rotated


def _rotated(known: GatewaySecret | None, wish: SecretWish, *, now_s: float) -> GatewaySecret:
    valid = list(known.valid(now_s)) if known else []
    if wish.secret is None:
        return GatewaySecret(values=valid[:1])
    previous = [one for one in valid if one != wish.secret][:1]
    if not previous or wish.overlap_s == 0:
        return GatewaySecret(values=[wish.secret])
    return GatewaySecret(values=[wish.secret, *previous], previous_until_s=now_s + wish.overlap_s)


def put_flag(connection: Connection, wish: FlagWish) -> int:
    """Set a flag, at once; how many held conversions it lets go. Raises NotProvisioned."""
    if wish.gateway is None and wish.tenant is None:
        raise NotProvisioned("gateway or tenant: one of them must be given.")
    found, released = doors.set_flag(connection, tenant=wish.tenant, gateway=wish.gateway, flag=wish.flag)
    if not found:
        raise NotProvisioned(f"{wish.tenant} is no tenant, or does not use {wish.gateway or 'any gateway'}.")
    return released


def put_allowed(connection: Connection, wish: AllowWish) -> None:
    """Replace a list of allowed addresses, at once. Raises NotProvisioned."""
    if not doors.set_allowed(connection, tenant=wish.tenant, gateway=wish.gateway, allowed=wish.allow):
        raise NotProvisioned(f"{wish.tenant} is no tenant, or does not use {wish.gateway}.")


def _complaint(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in found[:5])
