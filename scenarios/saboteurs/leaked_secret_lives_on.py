"""Secrets are cached until the process ends: the leaked one opens the door for days after it was replaced."""

from typing import Any

from reference_impl.secrets import GatewaySecrets
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-44[stripe-vendor]",)

_kept: dict[tuple[str, str], list[str]] = {}


def patch() -> None:
    """What was once valid stays so."""

    def make(old: Any) -> Any:
        def of(self: Any, tenant: str, gateway: str, *, version: int) -> Any:
            kept = _kept.setdefault((tenant, gateway), [])
            fresh = list(old(self, tenant, gateway, version=version))
            if any(one not in fresh for one in kept):
                bite()
            kept.extend(one for one in fresh if one not in kept)
            return tuple(kept)

        return of

    swap(GatewaySecrets, "of", make)
