"""The caller's address is the first of X-Forwarded-For, which the caller has written: anybody is on the list."""

from typing import Any

from reference_impl.web import addresses
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-45",)


def patch() -> None:
    """The leftmost entry."""

    def make(old: Any) -> Any:
        def client_address(remote_addr: Any, forwarded_for: Any, *, trusted_hops: int) -> Any:
            if not forwarded_for:
                return old(remote_addr, forwarded_for, trusted_hops=trusted_hops)
            bite()
            return addresses.plain(forwarded_for[0].split(",")[0])

        return client_address

    swap(addresses, "client_address", make)
