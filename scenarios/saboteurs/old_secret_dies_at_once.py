"""A new secret replaces the old one in the moment it is written: what the vendor has signed already is refused."""

from typing import Any

from reference_impl.secrets import GatewaySecret
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-43[hotmart-vendor]", "G-43[stripe-vendor]")


def patch() -> None:
    """Only the newest counts."""

    def valid(self: Any, _: float) -> Any:
        if len(self.values) > 1:
            bite()
        return tuple(self.values[:1])

    swap(GatewaySecret, "valid", lambda _: valid)
