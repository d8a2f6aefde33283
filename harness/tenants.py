"""The tenants of a run: each scenario has its own, and its own pixel, so that nothing is shared.

Everything here is a function of the seed and the scenario's id: never of a worker, a port or the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from simulators import gateways as fakes


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAccount:
    """What a tenant and a gateway share."""

    dialect: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One customer of the pipeline, as docs/contracts.md hands it to the target."""

    tenant: str
    pixel_id: str
    meta_token: str = field(repr=False)
    meta_token_expires_at_s: int | None
    timezone: str
    gateways: Mapping[str, GatewayAccount]

    def to_json(self) -> dict[str, Any]:
        """The shape that the target's `provision` command reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of to_json."""
        accounts = {name: GatewayAccount(**account) for name, account in data["gateways"].items()}
        return cls(**{**data, "gateways": accounts})


def tenants_of(
    seed: int, scenario: str, *, count: int, dialect: str | None, supported: Mapping[str, Sequence[str]]
) -> list[Tenant]:
    """The tenants of a scenario: so many, each speaking its dialect where it has one, else the vendors' own."""
    return [
        make_tenant(seed, f"{scenario}/{number}", dialect=dialect or "vendor", supported=supported)
        for number in range(count)
    ]


def make_tenant(seed: int, key: str, *, dialect: str, supported: Mapping[str, Sequence[str]]) -> Tenant:
    """The tenant of that key, speaking `dialect` with every gateway that knows it (else the gateway's first)."""
    digest = hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
    accounts = {
        name: GatewayAccount(
            dialect=dialect if dialect in dialects else dialects[0],
            secret=fakes.gateway(name).new_secret(f"{seed}/{key}/{name}"),
        )
        for name, dialects in supported.items()
    }
    return Tenant(
        tenant=f"t-{digest[:12]}",
        pixel_id=str(10**14 + int(digest[12:26], 16) % (9 * 10**14)),
        meta_token=f"EAA{digest[26:]}{digest[:26]}",
        meta_token_expires_at_s=None,
        timezone="America/Sao_Paulo",
        gateways=accounts,
    )
