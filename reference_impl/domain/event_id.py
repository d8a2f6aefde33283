"""The event id: by it Meta knows a second try from a second sale."""

from __future__ import annotations

import hashlib


def event_id(*, tenant: str, gateway: str, sale_id: str, kind: str = "purchase") -> str:
    """A function of the sale alone, the same in every process and on every try; nothing personal goes in.

    Each part is preceded by its length, so that no two different sales can spell the same text.

    Shape:
        `{kind}.` and 32 hex digits (128 bits of SHA-256).
    """
    parts = (tenant, gateway, sale_id, kind)
    text = "".join(f"{len(part.encode())}:{part}," for part in parts)
    return f"{kind}.{hashlib.sha256(text.encode()).hexdigest()[:32]}"
