"""Meta's click id, in the form in which it wants it back."""

from __future__ import annotations


def fbc_of(fbclid: str, *, clicked_at_ms: int) -> str:
    """`fb.1.{milliseconds}.{fbclid}`; the fbclid is case-sensitive and is kept letter for letter.

    Source:
        developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
    """
    return f"fb.1.{clicked_at_ms}.{fbclid}"
