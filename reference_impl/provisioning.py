"""`tenant create` and `tenant token`: JSON in, checked whole before anything is written."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any, Literal

import psycopg
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from reference_impl import gateways
from reference_impl.db import tenants
from reference_impl.secrets import SecretStore

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


def read_tenants(text: str) -> list[TenantWish]:
    """The tenants asked for, all of them good.

    Raises:
        NotProvisioned: one is not; none has been written.
    """
    try:
        wishes = Wishes.model_validate_json(text).tenants
    except ValidationError as error:
        raise NotProvisioned(_complaint(error)) from None
    for wish in wishes:
        for name, account in wish.gateways.items():
            known = gateways.known().get(name)
            if known is None:
                raise NotProvisioned(f"There is no gateway {name!r}. Known: {', '.join(sorted(gateways.known()))}.")
            if account.dialect not in known.dialects:
                raise NotProvisioned(f"{name} does not speak {account.dialect!r}, only {', '.join(known.dialects)}.")
    return wishes


def read_token(text: str) -> TokenWish:
    """The token to be set. Raises NotProvisioned."""
    try:
        return TokenWish.model_validate_json(text)
    except ValidationError as error:
        raise NotProvisioned(_complaint(error)) from None


def put_tenant(connection: Connection, store: SecretStore, wish: TenantWish) -> None:
    """Write one tenant. The secrets go first: a tenant without them would refuse its gateways."""
    store.put_gateway_secrets(wish.tenant, {name: [account.secret] for name, account in wish.gateways.items()})
    store.put_meta(wish.tenant, token=wish.meta_token, expires_at_s=wish.meta_token_expires_at_s)
    dialects = {name: account.dialect for name, account in wish.gateways.items()}
    tenants.put(connection, tenant=wish.tenant, pixel_id=wish.pixel_id, timezone=wish.timezone, dialects=dialects)


def put_token(connection: Connection, store: SecretStore, wish: TokenWish) -> None:
    """Write a new version of a tenant's token. Raises NotProvisioned for an unknown tenant."""
    if not tenants.exists(connection, wish.tenant):
        raise NotProvisioned(f"There is no tenant {wish.tenant!r}.")
    store.put_meta(wish.tenant, token=wish.meta_token, expires_at_s=wish.meta_token_expires_at_s)


def _complaint(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in found[:5])
