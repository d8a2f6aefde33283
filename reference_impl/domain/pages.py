"""What a page's address and campaign may tell without telling who looks at it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

#: Of a query only these survive: shops fill their checkouts by `?email=…&phone=…&name=…`.
_KEPT = frozenset({"fbclid", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_id"})
_SEVEN_DIGITS = re.compile(r"(?:\d[\s().+-]*){7}")


def speaks_of_a_person(text: str) -> bool:
    """Whether it looks like an e-mail address, or like a phone or a document."""
    plain = unquote(text)
    return "@" in plain or _SEVEN_DIGITS.search(plain) is not None


def harmless_url(url: str | None) -> str | None:
    """The page's address without user, fragment, foreign parameters and what looks like a person; None for no web page.

    A step of the path that looks like an e-mail or a phone ends it: `/obrigado/ana@…` becomes `/obrigado/`.
    """
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or speaks_of_a_person(host.replace(".", "-")):
        return None
    place = f"[{host}]" if ":" in host else host
    query = [(name, value) for name, value in parse_qsl(parts.query) if name in _KEPT and _fits(name, value)]
    return urlunsplit((parts.scheme, f"{place}:{port}" if port else place, _path(parts.path), urlencode(query), ""))


def _fits(name: str, value: str) -> bool:
    # An fbclid and an ad's number are no phones, though they may hold as many digits.
    return "@" not in value if name in ("fbclid", "utm_id") else not _person_in(value)


def _person_in(value: str) -> bool:
    # Campaign names often are an ad's id: 15 digits and more. A phone or a CPF has fewer.
    return not (value.isdigit() and len(value) >= 15) and speaks_of_a_person(value)


def harmless_campaign(told: dict[str, str]) -> dict[str, str]:
    """The UTM parameters, without those that look like a person."""
    return {name: value for name, value in told.items() if not _person_in(value)}


def _path(path: str) -> str:
    kept: list[str] = []
    for step in path.split("/"):
        if _person_in(step):
            return "/".join([*kept, ""])
        kept.append(step)
    return "/".join(kept)
