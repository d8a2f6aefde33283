"""Money as vendors write it, read exactly. No float ever."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
_PLAIN = re.compile(r"^[0-9]{1,15}(\.[0-9]{1,6})?$")
_LIMIT = Decimal(10) ** 12
_FINEST = Decimal("0.000001")


class BadMoney(ValueError):
    """No amount or no currency; the message does not repeat it."""


def currency(text: object) -> str:
    """Three letters, upper case. Raises BadMoney."""
    found = text.strip() if isinstance(text, str) else ""
    if len(found) != 3 or not (found.isascii() and found.isalpha()):
        raise BadMoney("a currency has three letters")
    return found.upper()


def major(value: object) -> Decimal:
    """An amount in major units: a JSON number (Decimal or int) or a plain decimal string. 0 is a free order.

    Raises:
        BadMoney: negative, not finite, absurdly large, or no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise BadMoney("an amount is a number")
    if isinstance(value, str) and not _PLAIN.match(value.strip()):
        raise BadMoney("an amount is a plain decimal number")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise BadMoney("an amount is a number") from None
    if not amount.is_finite() or amount < 0 or amount >= _LIMIT:
        raise BadMoney("an amount is not negative, and not absurdly large")
    if amount != amount.quantize(_FINEST):
        raise BadMoney("an amount has at most six decimals")
    return abs(amount)  # -0 is 0


def from_minor(value: object, currency_code: str) -> Decimal:
    """Stripe's integer minor units in major units.

    ISK and UGX have no decimals and are written with two all the same.

    Source:
        docs.stripe.com/currencies (facts/gateways.md section 4.7).

    Raises:
        BadMoney: no integer, negative, or absurdly large.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadMoney("an amount in minor units is an integer")
    exponent = 0 if currency_code in _ZERO_DECIMAL else 3 if currency_code in _THREE_DECIMAL else 2
    return major(Decimal(value).scaleb(-exponent))
