"""A JSON parser for strangers: bounded, exact, and it never fails in any way but one."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from reference_impl.gateways import MalformedBody

MAX_BYTES = 1024 * 1024
MAX_INTEGER_DIGITS = 30


def parse(body: bytes) -> dict[str, Any]:
    """The object that a body holds; decimals are Decimals, a key stands once.

    Raises:
        MalformedBody: no UTF-8 (a byte-order mark included), no JSON, no object at the root, too large or too deep
            (Python's own limit), a key twice, NaN or Infinity.
    """
    if len(body) > MAX_BYTES:
        raise MalformedBody("The body is too large.")
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise MalformedBody("The body is no JSON.") from None
    if not isinstance(value, dict):
        raise MalformedBody("The body is no JSON object.")
    return value


def _decimal(text: str) -> Decimal:
    if len(text) > 40:
        raise MalformedBody("A number in the body is too long.")
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no machine holds
        raise MalformedBody("A number in the body is too long.") from None


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise MalformedBody("A number in the body is too long.")
    return int(text)


def _no_constant(_: str) -> NoReturn:
    raise MalformedBody("NaN and Infinity are no JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedBody("A key stands twice in one object.")
    return found
