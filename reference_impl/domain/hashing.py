"""Personal data becomes SHA-256 before it touches anything that lasts.

An unsalted hash of a phone can be enumerated, so what comes out is still personal data: it expires, and can be erased.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from reference_impl.domain import normalise
from reference_impl.domain.conversion import Buyer


def sha256(text: str) -> str:
    """Lower-case hex of the UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchKeys:
    """By what Meta may find the buyer: hashes only, 64 lower-case hex digits each."""

    em: str | None = field(default=None, repr=False)
    ph: str | None = field(default=None, repr=False)
    fn: str | None = field(default=None, repr=False)
    ln: str | None = field(default=None, repr=False)
    ct: str | None = field(default=None, repr=False)
    st: str | None = field(default=None, repr=False)
    zp: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)

    def as_user_data(self) -> dict[str, Any]:
        """As Meta's `user_data` wants them: a list of one for each key there is."""
        return {key: [value] for key in self.__slots__ if (value := getattr(self, key)) is not None}


def hash_buyer(buyer: Buyer) -> MatchKeys:
    """Normalise and hash everything that identifies a buyer; what holds nothing is left out."""
    plain = {
        "em": normalise.email(buyer.email),
        "ph": normalise.phone(buyer.phone, country=buyer.country),
        "fn": normalise.name(buyer.first_name),
        "ln": normalise.name(buyer.last_name),
        "ct": normalise.city(buyer.city),
        "st": normalise.state(buyer.state),
        "zp": normalise.zip_code(buyer.zip_code),
        "country": normalise.country(buyer.country),
    }
    return MatchKeys(**{key: sha256(value) for key, value in plain.items() if value})
