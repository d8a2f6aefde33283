"""Meta's click id, in the form in which it wants it back."""

from __future__ import annotations


def fbc_of(fbclid: str, *, clicked_at_ms: int) -> str:
    """`fb.1.{milliseconds}.{fbclid}`; the fbclid is case-sensitive and is kept letter for letter.

    Source:
        developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
    """
    return f"fb.1.{clicked_at_ms}.{fbclid}"


def fbclid_in(fbc: str) -> str:
    """The fbclid inside: all that stands behind the third dot."""
    return fbc.split(".", 3)[-1]


def fbc_for(*, fbclid: str | None, cookie: str | None, clicked_at_ms: int) -> str | None:
    """The fbc of a click: the Pixel's own cookie where it is of this click, so that both tell Meta the same.

    A cookie of an earlier click lies about the one that has just been made; a click without an fbclid leaves the cookie
    as it was, and Meta wants it then.
    """
    if cookie and (fbclid is None or fbclid_in(cookie) == fbclid):
        return cookie
    return fbc_of(fbclid, clicked_at_ms=clicked_at_ms) if fbclid else None
