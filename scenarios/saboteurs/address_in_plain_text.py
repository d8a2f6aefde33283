"""The buyer's address and browser are encoded and called encrypted: whoever reads the table reads them."""

from typing import Any
from urllib.parse import quote, unquote

from reference_impl.sealing import Keyring
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-08[hotmart-vendor]", "T-14[stripe-vendor]")


def patch() -> None:
    """Percent-encoding is no encryption."""

    def seal(_: Any, text: str) -> str:
        bite()
        return quote(text, safe=":.")

    def opened(_: Any, sealed: str) -> str:
        return unquote(sealed)

    swap(Keyring, "seal", lambda _: seal)
    swap(Keyring, "open", lambda _: opened)
