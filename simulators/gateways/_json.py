"""JSON bytes in the styles that vendors print, with amounts as exact decimals.

Compact is JavaScript's and Java's style: UTF-8, no spaces, no `\\/`, no `\\uXXXX` for accents. orjson prints it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson


def compact(value: object) -> bytes:
    """Compact UTF-8 JSON; Decimals as JSON numbers with every digit that they have."""
    return orjson.dumps(value, default=_exact)


def pretty(value: object) -> bytes:
    """Printed over several lines with two spaces of indentation, as Stripe does."""
    return orjson.dumps(value, default=_exact, option=orjson.OPT_INDENT_2)


def php(value: object) -> bytes:
    """As PHP's json_encode prints by default: compact, ASCII only, `\\/` for every slash."""
    text = compact(value).decode().replace("/", "\\/")
    return _NOT_ASCII.sub(_utf16_escapes, text).encode("ascii")


def parse(body: bytes) -> Any:
    """The value of a body, with decimals exact and key order kept.

    Raises:
        ValueError: not JSON, or not UTF-8.
    """
    return json.loads(body, parse_float=Decimal)


def with_values(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """The body with other values at dotted paths (`data.purchase.price.value`, `items.0.id`), in the same style.

    Raises:
        ValueError: the body is not JSON.
        LookupError: a path leads nowhere; only the last key of an object may be new.
    """
    if not changes:
        return body
    value = parse(body)
    for path, new in changes.items():
        _put(value, path, new)
    if body.startswith((b"{\n", b"[\n")):
        return pretty(value)
    return php(value) if b"\\/" in body else compact(value)


def _put(value: Any, path: str, new: Any) -> None:
    *way, last = path.split(".")
    place = value
    for depth, step in enumerate(way):
        try:
            place = place[int(step)] if isinstance(place, list) else place[step]
        except (LookupError, ValueError, TypeError):
            raise LookupError(f"Nothing at {'.'.join(way[: depth + 1])!r}, which {path!r} goes through.") from None
    if isinstance(place, dict):
        place[last] = new
    elif isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = new
    else:
        raise LookupError(f"{path!r} names no member of an object and no item of a list.")


def _exact(value: object) -> object:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is no JSON value")


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _utf16_escapes(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
