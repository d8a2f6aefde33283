"""The caller's address is the first of X-Forwarded-For, which the caller has written: anybody is on the list."""

from typing import Any

from flask import request

from reference_impl.web import addresses
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-45",)


def patch() -> None:
    """The leftmost entry."""

    def make(old: Any) -> Any:
        def client_address(remote_addr: Any, forwarded_for: Any, *, trusted_hops: int) -> Any:
            told = request.headers.get("X-Forwarded-For")
            if not told:
                return old(remote_addr, forwarded_for, trusted_hops=trusted_hops)
            bite()
            return addresses.plain(told.split(",")[0])

        return client_address

    swap(addresses, "client_address", make)
