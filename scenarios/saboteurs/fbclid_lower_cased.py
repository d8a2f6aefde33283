"""The click id goes through a function that "normalises" it: Meta's own id in lower case is nobody's click."""

from typing import Any

from reference_impl.domain import fbc
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("S-02[hotmart-vendor]", "S-02[stripe-vendor]")


def patch() -> None:
    """Small letters."""

    def make(old: Any) -> Any:
        def fbc_of(fbclid: str, *, clicked_at_ms: int) -> str:
            bite()
            return str(old(fbclid.lower(), clicked_at_ms=clicked_at_ms))

        return fbc_of

    swap(fbc, "fbc_of", make)
