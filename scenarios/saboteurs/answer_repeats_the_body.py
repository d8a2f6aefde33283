"""The error for a bad field quotes the body, which the vendor's dashboard then shows to its whole staff."""

from typing import Any

from reference_impl.gateways import SchemaMismatch, hotmart, stripe
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-02[hotmart-vendor]", "P-02[stripe-vendor]")


def patch() -> None:
    """Say what could not be read."""

    def make(old: Any) -> Any:
        def read(self: Any, body: bytes, *, dialect: str) -> Any:
            try:
                return old(self, body, dialect=dialect)
            except SchemaMismatch as error:
                bite()
                raise SchemaMismatch(f"{error} The body was {body.decode(errors='replace')}") from None

        return read

    for one in (hotmart, stripe):
        swap(one.Gateway, "read", make)
