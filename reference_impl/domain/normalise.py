"""Personal data in the one spelling that Meta hashes. Each function gives None for what holds nothing.

Source:
    developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
    (facts/meta_capi.md section 4); the Brazilian numbering plan for phones (decisions.md, "Gateways").
"""

from __future__ import annotations

import re
import unicodedata

_NOT_DIGIT = re.compile(r"\D+")
_CARRIER = re.compile(r"^0(?:\d{2})?(?=\d{10,11}$)")
"""The trunk 0, with or without the two digits of a long-distance carrier (0 15 11 98765 4321)."""
_SPACE = re.compile(r"\s")
_ZIP_FILLING = re.compile(r"[\s.-]")


def email(text: str | None) -> str | None:
    """Trimmed, lower case; None without an `@` between two somethings."""
    found = (text or "").strip().lower()
    name, at, host = found.partition("@")
    return found if name and at and host and not _SPACE.search(found) else None


def phone(text: str | None, *, country: str | None = None) -> str | None:
    """Digits only, with the country's code, without a leading zero.

    Without a `+`, a number of a Brazilian buyer of 10 or 11 digits is national and gets 55, even if it begins with 55,
    which is an area code too; 12 or 13 digits that begin with 55 are international already. The ninth digit is
    never invented. A foreign number is believed as it stands.
    """
    raw = (text or "").strip()
    digits = _ascii_digits(raw)
    if raw.startswith("+") or digits.startswith("00"):
        digits = digits.removeprefix("00").lstrip("0")
    elif (country or "BR").upper() == "BR":
        digits = _CARRIER.sub("", digits).lstrip("0")
        if len(digits) in (10, 11):
            digits = "55" + digits
    else:
        digits = digits.lstrip("0")
    return digits if 7 <= len(digits) <= 15 else None


def _ascii_digits(text: str) -> str:
    # Other scripts have digits of their own; a hash of those would match nobody.
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).encode("ascii", "ignore").decode()
    return _NOT_DIGIT.sub("", text)


def name(text: str | None) -> str | None:
    """Lower case without punctuation; accents stay, composed as UTF-8 prints them."""
    return _letters(text, keep=" ")


def city(text: str | None) -> str | None:
    """Lower case without spaces, punctuation or digits."""
    return _letters(text, keep="")


def state(text: str | None) -> str | None:
    """Lower case without spaces or punctuation: `sp` as well as `sãopaulo`."""
    return _letters(text, keep="")


def _letters(text: str | None, *, keep: str) -> str | None:
    text = (text or "").lower()
    if text.isascii():  # most are, and then nothing need be asked or composed
        return " ".join("".join(one for one in text if one in keep or one.isalpha()).split()) or None
    kept = "".join(one for one in text if one in keep or unicodedata.category(one)[0] in "LM")
    # Composed last: what stood between a letter and its accent is gone only now.
    return " ".join(unicodedata.normalize("NFC", kept).split()) or None


def zip_code(text: str | None) -> str | None:
    """Lower case without spaces or dashes."""
    found = _ZIP_FILLING.sub("", (text or "").lower())
    return found if found.isalnum() and found.isascii() else None


def country(text: str | None) -> str | None:
    """Two lower-case letters, or None: names of countries are not guessed at."""
    found = (text or "").strip().lower()
    return found if len(found) == 2 and found.isascii() and found.isalpha() else None
