"""Where the payload tells no address, the request's is taken: all buyers live in the gateway's data centre."""

from typing import Any

from flask import request

from reference_impl.web import addresses
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("S-01[stripe-vendor]", "T-13[stripe-vendor]")


def patch() -> None:
    """Somebody's address is better than none."""

    def make(old: Any) -> Any:
        def plain(text: str | None) -> Any:
            if text is not None:
                return old(text)
            bite()
            return old(request.remote_addr)

        return plain

    swap(addresses, "plain", make)
