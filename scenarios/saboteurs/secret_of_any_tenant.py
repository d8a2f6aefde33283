"""The cache of secrets is keyed by the gateway alone, so whoever was read first is believed for everybody."""

from collections import defaultdict
from typing import Any

from reference_impl.secrets import GatewaySecrets
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-61[hotmart-vendor]", "G-61[stripe-vendor]")

_seen: defaultdict[str, list[str]] = defaultdict(list)


def patch() -> None:
    """What has been read for one tenant proves the sender to all."""

    def make(old: Any) -> Any:
        def of(self: Any, tenant: str, gateway: str, *, version: int) -> Any:
            bite()
            own = list(old(self, tenant, gateway, version=version))
            _seen[gateway].extend(one for one in own if one not in _seen[gateway])
            return tuple(_seen[gateway])

        return of

    swap(GatewaySecrets, "of", make)
