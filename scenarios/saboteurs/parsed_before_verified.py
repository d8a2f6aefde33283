"""A framework's middleware parses the JSON before anybody has looked at the signature."""

from typing import Any

from reference_impl.gateways import _json, hotmart, kiwify, stripe
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-60[hotmart-vendor]", "G-60[kiwify-plan]", "G-60[stripe-vendor]")


def patch() -> None:
    """Parse first; what cannot be parsed is refused for that."""

    def make(old: Any) -> Any:
        def verify(self: Any, delivery: Any, **how: Any) -> None:
            bite()
            _json.parse(delivery.body)
            old(self, delivery, **how)

        return verify

    for one in (hotmart, kiwify, stripe):
        swap(one.Gateway, "verify", make)
