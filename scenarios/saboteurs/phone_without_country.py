"""Brazilian phones are hashed without the 55, as the checkout writes them."""

from typing import Any

from reference_impl.domain import normalise
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-01[hotmart-vendor]",)


def patch() -> None:
    """Take the country's code away again."""

    def make(old: Any) -> Any:
        def phone(text: str | None, *, country: str | None = None) -> str | None:
            digits: str | None = old(text, country=country)
            if digits is None or not digits.startswith("55"):
                return digits
            bite()
            return digits[2:]

        return phone

    swap(normalise, "phone", make)
