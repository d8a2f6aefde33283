"""The hunt for personal data. Everything hunted was invented by us, so a hit has no innocent explanation.

The disguises are taken off the haystack, once, and not put on each of thousands of canaries: case and accents are
folded, escapes undone, hex and base64 decoded, numbers freed of their punctuation. What is left is searched for all
canaries at once.

What was masked, but not enough, is `masked.py`'s.

Does not see: what is compressed, encrypted, reversed, or split over two rows or lines.
"""

from __future__ import annotations

import binascii
import hashlib
import html
import ipaddress
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.checks.masked import Masked

#: Kinds that are numbers: found with and without punctuation, never inside a longer number.
_NUMBERS = ("phone", "document")

#: Kinds that must not be taken for the beginning or the end of something longer: 192.0.2.1 and 192.0.2.17.
_BOUNDED = ("ip_address", "zip")

#: Kinds that a target may keep and must not log. Meta asks for the address, and for the hashes.
ONLY_IN_LOGS = ("ip_address", "hash of an email", "hash of a phone")

#: Kinds that stand in a log or an answer never, and in a table only where the target's file says that they may.
SECRETS = ("secret", "Meta token")

#: A form of fewer characters would be found by chance. Eight bytes are also one machine word, see `_words`.
_SHORTEST = 8

_DIGITS = frozenset(b"0123456789")
_HEX_DIGITS = frozenset(b"0123456789abcdef")

#: So few that looking for one after the other is faster than looking for all at once.
_FEW = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One piece of an invented person, or a secret of an invented tenant."""

    kind: str
    """email, phone, document, surname, ip_address, secret …."""
    text: str

    def stands_in(self, text: str) -> bool:
        """Whether it is found in a text, in whatever disguise."""
        return bool(Hunt([self]).kinds_in(text))


def hashes(canaries: Iterable[Canary]) -> list[Canary]:
    """The hashes that Meta is given of e-mails and phones: they name a person as well as these do."""
    found = []
    for canary in canaries:
        if canary.kind == "email":
            found.append(Canary(kind="hash of an email", text=_sha256(canary.text.strip().lower())))
        elif canary.kind == "phone":
            digits = re.sub(r"\D", "", canary.text)
            found += [Canary(kind="hash of a phone", text=_sha256(one)) for one in (digits, f"55{digits}")]
    return found


_HASH = re.compile(r"(?i)\b[0-9a-f]{32,}\b")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Hunt:
    """A set of canaries, searched for in many texts."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._numbers: dict[bytes, str] = {}
        self._needles: dict[bytes, str] = {}
        emails, documents = [], []
        for canary in canaries:
            if canary.kind == "email":
                emails.append(canary.text)
            elif canary.kind == "document":
                documents += [one.decode() for one in _spellings(canary)]
            if canary.kind in _NUMBERS:
                self._numbers.update(dict.fromkeys(_spellings(canary), canary.kind))
            else:
                self._needles.update(dict.fromkeys(_forms(canary), canary.kind))
        self._anchors: dict[int, list[bytes]] = _anchors(self._needles) if len(self._needles) > _FEW else {}
        self._known = frozenset(self._anchors)
        phones = [number.decode() for number, kind in self._numbers.items() if kind == "phone"]
        self._masked = Masked(emails=emails, phones=phones, documents=documents)

    def kinds_in(self, text: str) -> set[str]:
        """Which kinds of canary stand in a text, in whatever disguise."""
        if not (self._needles or self._numbers):
            return set()
        plain = _unescaped(text)
        found = self._masked.kinds_in(plain)
        for view in _views(text, plain):
            for needle in self._candidates(view):
                kind = self._needles[needle]
                if kind not in found and _stands_in(needle, view, bounded=kind in _BOUNDED):
                    found.add(kind)
            found |= {self._numbers[number] for number in _numbers_in(view) & self._numbers.keys()}
        return found

    def _candidates(self, view: bytes) -> Iterable[bytes]:
        if not self._anchors:
            return self._needles
        seen = {anchor for words in _words(view) for anchor in self._known.intersection(words)}
        return {needle for anchor in seen for needle in self._anchors[anchor]}


class Mask:
    """Makes texts of golive's own fit for a report: nobody of these canaries is named in them."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        known = list(canaries)
        self._hunt = Hunt(known)
        self._longest_first = [
            (re.compile(re.escape(canary.text), re.IGNORECASE), f"<{canary.kind}>")
            for canary in sorted(known, key=lambda canary: len(canary.text), reverse=True)
            if len(canary.text) >= _SHORTEST
        ]

    def text(self, text: str) -> str:
        """The same with `<email>` in the place of the e-mail, and of each hash the first six digits.

        Where somebody still stands in it in another form, nothing of it is left.
        """
        for pattern, kind in self._longest_first:
            text = pattern.sub(kind, text)
        text = _HASH.sub(lambda found: f"{found.group()[:6]}…", text)
        kinds = self._hunt.kinds_in(text) - set(ONLY_IN_LOGS)
        return f"(withheld: it names a buyer's {', '.join(sorted(kinds))})" if kinds else text

    def json(self, value: Any) -> Any:
        """The same JSON value with `<email>` in the place of each text or number in which an e-mail stands."""
        if isinstance(value, Mapping):
            return {name: self.json(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.json(inner) for inner in value]
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            kinds = sorted(self._hunt.kinds_in(str(value)))
            return f"<{kinds[0].removeprefix('masked ')}>" if kinds else value
        return value


def leaks(
    hunt: Hunt, places: Mapping[str, Iterable[str]], *, may_hold_secrets: Collection[str] = ()
) -> tuple[str, ...]:
    """`place: kind` for every place in which a canary of that kind was found; never the canary itself.

    A place is called `log …`, `our …` (a report), `table …` or otherwise; some kinds are forbidden in
    logs and reports only. `may_hold_secrets` are the tables (`public.tenants`) that secrets are kept in on purpose.
    """
    found = []
    for place, texts in places.items():
        kinds = hunt.kinds_in("\n".join(dict.fromkeys(texts)))
        if not place.startswith(("log ", "our ")):
            kinds -= set(ONLY_IN_LOGS)
        if place.removeprefix("table ") in may_hold_secrets:
            kinds -= set(SECRETS)
        found += [f"{place}: a {'' if kind.startswith('masked ') else 'plain '}{kind}" for kind in sorted(kinds)]
    return tuple(found)


# -- needles ---------------------------------------------------------------------------------------------------


def _forms(canary: Canary) -> set[bytes]:
    texts = {canary.text}
    if canary.kind == "ip_address":
        address = ipaddress.ip_address(canary.text)
        texts |= {address.compressed, address.exploded}
    return {form for form in map(_folded, texts) if len(form) >= _SHORTEST}


def _spellings(canary: Canary) -> set[bytes]:
    """A number with every prefix that a phone may be given."""
    digits = re.sub(r"\D", "", canary.text)
    if len(digits) < _SHORTEST:
        return set()  # no number of anybody's, and found everywhere
    if canary.kind != "phone":
        return {digits.encode()}
    national = digits[2:] if canary.text.startswith("+55") or len(digits) > 11 else digits
    return {f"{prefix}{number}".encode() for number in {digits, national} for prefix in ("", "0", "55", "055", "0055")}


def _stands_in(needle: bytes, view: bytes, *, bounded: bool) -> bool:
    """Whether it is there; `bounded`: not as a part of something longer. (A pattern that looks behind itself is tried
    at every byte: it took two thirds of a hunt.)"""
    longer = _HEX_DIGITS if b":" in needle else _DIGITS
    at = view.find(needle)
    while at >= 0:
        end = at + len(needle)
        if not bounded or not (view[at - 1 : at].isdigit() or (end < len(view) and view[end] in longer)):
            return True
        at = view.find(needle, at + 1)
    return False


def _anchors(needles: Iterable[bytes]) -> dict[int, list[bytes]]:
    """For each needle the eight bytes of it that fewest others have; those are looked for."""
    of_needle = {needle: {word for words in _words(needle) for word in words} for needle in needles}
    shared = Counter(word for words in of_needle.values() for word in words)
    found: dict[int, list[bytes]] = defaultdict(list)
    for needle, words in of_needle.items():
        found[min(words, key=lambda word: (shared[word], word))].append(needle)
    return dict(found)


# -- haystack --------------------------------------------------------------------------------------------------

_ESCAPE = re.compile(r"\\+u\{?([0-9a-fA-F]{4})\}?")
_BYTES = re.compile(r"(?:\\+x[0-9a-fA-F]{2}|\\+[0-3][0-7]{2}|%[0-9a-fA-F]{2})+")
_BYTE = re.compile(r"x([0-9a-fA-F]{2})|\\([0-3][0-7]{2})|%([0-9a-fA-F]{2})")
_HEX_RUN = re.compile(rb"[0-9a-fA-F]{16,}")
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PLAIN_NUMBER = re.compile(rb"\d{10,}")
_GROUPED_NUMBER = re.compile(rb"(?<!\d)\d++(?:[ .()+/_-]{1,3}\d++)++")
_LONGEST_NUMBER = 15


def _views(text: str, plain: str) -> Iterator[bytes]:
    """The text as it stands, and with each disguise off it (`plain`: its escapes undone already); folded."""
    yield _folded(text)
    if plain != text:
        yield _folded(plain)
    # Of both, because undoing an escape also takes the first byte of PostgreSQL's \x48656c6c6f for one.
    raw = b"\n".join(one.encode(errors="replace") for one in dict.fromkeys((text, plain)))
    # Where a run begins says nothing: an id may be glued to its front. So every alignment is decoded, of all runs
    # at once: of two, three or four neighbouring alignments one is right for each of them.
    hexed = b"0".join(dict.fromkeys(_HEX_RUN.findall(raw)))
    for start in range(2):
        aligned = hexed[start:]
        yield _folded_bytes(binascii.unhexlify(aligned[: len(aligned) // 2 * 2]))
    based = b"A".join(dict.fromkeys(_BASE64_RUN.findall(raw))).translate(_URL_SAFE) + b"AAA"
    for start in range(4):
        aligned = based[start:]
        yield _folded_bytes(binascii.a2b_base64(aligned[: len(aligned) // 4 * 4]))


def _unescaped(text: str) -> str:
    """JSON's, Python's, PostgreSQL's, URLs' and HTML's escapes undone; three deep, for text in text."""
    for _ in range(3):
        before = text
        if "\\" in text or "%" in text:
            text = _BYTES.sub(_as_text, _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), text))
        if "&" in text:
            text = html.unescape(text)
        if text == before:
            break
    return text


def _as_text(found: re.Match[str]) -> str:
    numbers = [
        int(octal, 8) if octal else int(escaped or quoted, 16)
        for escaped, octal, quoted in _BYTE.findall(found.group())
    ]
    return bytes(numbers).decode(errors="replace")


def _folded(text: str) -> bytes:
    """Without case and accents, so that composed and decomposed letters are one."""
    if text.isascii():
        return text.encode().lower()
    return unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").lower()


#: The accented letters that names here have: what a decoder gives is mostly noise, too much of it to fold properly.
_ACCENTED = {letter.encode(): _folded(letter) for one in "áàâãéêíóôõúüç" for letter in (one, one.upper())}
_MAY_BE_ACCENTED = re.compile(b"|".join(map(re.escape, _ACCENTED)))


def _folded_bytes(noise: bytes) -> bytes:
    return _MAY_BE_ACCENTED.sub(lambda found: _ACCENTED[found.group()], noise).lower()


def _words(view: bytes) -> Iterator[list[int]]:
    """Every eight neighbouring bytes as a number: eight lists, each of them shifted by a byte."""
    for start in range(min(_SHORTEST, len(view) - _SHORTEST + 1)):
        length = (len(view) - start) // _SHORTEST * _SHORTEST
        yield memoryview(view)[start : start + length].cast("Q").tolist()


def _numbers_in(view: bytes) -> set[bytes]:
    """Every number of ten digits and more, and every one that neighbouring groups of digits make together."""
    found = set(_PLAIN_NUMBER.findall(view))
    for run in set(_GROUPED_NUMBER.findall(view)):
        groups = re.findall(rb"\d+", run)
        for first in range(len(groups)):
            number = b""
            for group in groups[first:]:
                number += group
                if len(number) > _LONGEST_NUMBER:
                    break
                found.add(number)
    return found
