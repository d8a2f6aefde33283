"""Every Brazilian number is made a mobile's: a landline gets a nine in front, and is nobody's number any more."""

from typing import Any

from reference_impl.domain import normalise
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-20[hotmart-vendor-11]",)


def patch() -> None:
    """55, two digits of area, eight digits: one is added."""

    def make(old: Any) -> Any:
        def phone(text: str | None, *, country: str | None = None) -> str | None:
            digits: str | None = old(text, country=country)
            if digits is None or not digits.startswith("55") or len(digits) != 12:
                return digits
            bite()
            return digits[:4] + "9" + digits[4:]

        return phone

    swap(normalise, "phone", make)
