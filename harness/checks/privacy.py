"""The hunt for personal data. Everything hunted was invented by us, so a hit has no innocent explanation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One piece of an invented person."""

    kind: str
    """email, phone, document, name."""
    text: str


def disguises(canary: Canary) -> set[str]:
    """The ways in which a careless program writes it down: other case, no punctuation, escaped, URL-encoded."""
    text = canary.text
    forms = {text, text.lower(), unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)}
    forms |= {form.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00") for form in set(forms)}
    forms |= {quote(form) for form in set(forms)} | {form.replace("@", "%40") for form in set(forms)}
    if canary.kind in ("phone", "document"):
        digits = re.sub(r"\D", "", text)
        forms.add(digits)
        if canary.kind == "phone" and digits.startswith("55"):
            forms.add(digits[2:])
    # A form of fewer than eight characters would be found by chance.
    return {form for form in forms if len(form) >= 8}


class Hunt:
    """A set of canaries, compiled once, searched for in many texts."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._kinds: dict[str, str] = {}
        for canary in canaries:
            for form in disguises(canary):
                self._kinds[form] = canary.kind
        longest_first = sorted(self._kinds, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def kinds_in(self, text: str) -> set[str]:
        """Which kinds of canary stand in a text."""
        if self._pattern is None:
            return set()
        return {self._kinds[found.group()] for found in self._pattern.finditer(text)}


def leaks(hunt: Hunt, places: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """`place: kind` for every place in which a canary of that kind was found; never the canary itself."""
    found = []
    for place, texts in places.items():
        kinds: set[str] = set()
        for text in texts:
            kinds |= hunt.kinds_in(text)
        found += [f"{place}: a plain {kind}" for kind in sorted(kinds)]
    return tuple(found)
