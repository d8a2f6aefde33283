"""Personal data of which a part was made unreadable, and too little: `jo***@host`, `(11) 9****-4321`, `***.982.247-**`.

Pure. A mask says that something personal stood there; whose it is follows from what was left. Judged is the whole
shape, so that chance has no part in it:

- an e-mail: two characters of the local part or more are left around the mask, and the host is there, whole or itself
  masked behind its first character;
- a phone: its last four digits are left, and with the mask it is as long as a phone (nine digits, or ten and more with
  an area code). `****4321`, which is how receipts write cards, is as long as no phone;
- a document: five digits or more are left, where a document of that length has them.

Not seen: masked names; masks behind another encoding (base64, hex); a mask of one character; `x` as a mask of fewer
than three.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_MASK = "*•●█…"
_RUN = re.compile(rf"[{_MASK}]+|[xX#]{{3,}}")
_WINDOW = 80
_MASKS_MAY_BE_LETTERS = str.maketrans(dict.fromkeys("xX#" + _MASK, "*"))

_LOCAL_BEFORE = re.compile(r"[\w.+%-]{1,64}\Z")
_REST_OF_EMAIL = re.compile(rf"([\w.+%-]{{0,32}})@([\w{_MASK}#-][\w.{_MASK}#-]{{0,80}})")
_NUMBER = re.compile(rf"[\d{_MASK}xX#](?:[ ().+/-]{{0,3}}[\d{_MASK}xX#])+")
_PUNCTUATION = re.compile(r"[ ().+/-]")

#: As phones are written here: 9xxxx-xxxx, with the area code, with 55, 055 or 0055 before it.
_PHONE_LENGTHS = (9, 10, 11, 12, 13, 14, 15)
_LAST = 4
_DOCUMENT_DIGITS = 5
_LOCAL_LEFT = 2


class Masked:
    """A set of e-mails, phones and documents, looked for behind masks."""

    def __init__(self, *, emails: Iterable[str], phones: Iterable[str], documents: Iterable[str]) -> None:
        """Phones in every spelling, digits only; documents as digits."""
        self._emails: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for email in emails:
            local, _, host = email.lower().partition("@")
            if host:
                self._emails[local[:1]].append((local, host))
        self._phones: dict[str, set[str]] = defaultdict(set)
        for phone in phones:
            self._phones[phone[-_LAST:]].add(phone)
        self._documents = set(documents)

    def kinds_in(self, text: str) -> set[str]:
        """`masked email`, `masked phone`, `masked document`: what stands in a text."""
        found: set[str] = set()
        seen_until = -1
        for run in _RUN.finditer(text):
            start, end = run.span()
            if end <= seen_until:
                continue
            if len(run.group()) > 1 and self._is_email(text, start, end):
                found.add("masked email")
            number = self._number_at(text, start, end)
            if number is not None:
                seen_until = number.end() + max(0, start - _WINDOW)
                found |= self._kinds_of(_PUNCTUATION.sub("", number.group()).translate(_MASKS_MAY_BE_LETTERS))
        return found

    def _is_email(self, text: str, start: int, end: int) -> bool:
        rest = _REST_OF_EMAIL.match(text, end)
        before = _LOCAL_BEFORE.search(text, max(0, start - _WINDOW), start)
        if rest is None or before is None:
            return False
        head, tail, host = before.group().lower(), rest.group(1).lower(), rest.group(2).lower()
        if len(head) + len(tail) < _LOCAL_LEFT:
            return False
        return any(
            local.startswith(head)
            and local.endswith(tail)
            and len(local) > len(head) + len(tail)
            and _hosts(host, known)
            for local, known in self._emails.get(head[:1], ())
        )

    @staticmethod
    def _number_at(text: str, start: int, end: int) -> re.Match[str] | None:
        window = text[max(0, start - _WINDOW) : end + _WINDOW]
        at = start - max(0, start - _WINDOW)
        return next((one for one in _NUMBER.finditer(window) if one.start() <= at < one.end()), None)

    def _kinds_of(self, shape: str) -> set[str]:
        """`shape` is digits and stars."""
        found, digits = set(), sum(one.isdigit() for one in shape)
        tail = shape[-_LAST:]
        may_be_phone = "***" in shape and tail.isdigit() and len(shape) in _PHONE_LENGTHS
        if may_be_phone and any(_fits(shape, phone) for phone in self._phones.get(tail, ())):
            found.add("masked phone")
        if "**" in shape and digits >= _DOCUMENT_DIGITS and any(_fits(shape, one) for one in self._documents):
            found.add("masked document")
        return found


def _hosts(masked: str, known: str) -> bool:
    if re.search(f"[{_MASK}#]", masked) is None:
        return masked.rstrip(".-") == known
    return masked[0] == known[0]


def _fits(shape: str, number: str) -> bool:
    return len(shape) == len(number) and all(one in ("*", digit) for one, digit in zip(shape, number, strict=True))
