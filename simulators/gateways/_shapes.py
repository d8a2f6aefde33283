"""Ids, times and amounts in the shapes that vendors print. Every id is a function of its parts: no clock, no chance."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

DIGITS = "0123456789"
UPPER = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALNUM = UPPER + "abcdefghijklmnopqrstuvwxyz"

BRASILIA_UTC_OFFSET_S = -3 * 3600

# ISO 4217 exponents; what is not listed has two decimals.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"


def _number(parts: tuple[str, ...]) -> int:
    return int.from_bytes(hashlib.sha512("\x1f".join(parts).encode()).digest())


def code(alphabet: str, length: int, *parts: str) -> str:
    """`length` characters of `alphabet`, a function of `parts`; up to 80 characters carry entropy."""
    number, letters = _number(parts), []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "".join(letters)


def number(length: int, *parts: str) -> int:
    """A whole number of exactly `length` digits, a function of `parts`."""
    lowest: int = 10 ** (length - 1)
    return lowest + _number(parts) % (9 * lowest)


def uuid4_shaped(*parts: str) -> str:
    """A UUID that looks random (version 4) and is a function of `parts`."""
    return str(uuid.UUID(bytes=hashlib.sha256("\x1f".join(parts).encode()).digest()[:16], version=4))


def iso_z(at_s: int) -> str:
    """`2026-02-24T10:00:00Z`."""
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def naive(at_s: int, utc_offset_s: int, pattern: str) -> str:
    """A local time that does not say whose: `pattern` is strftime's."""
    return datetime.fromtimestamp(at_s, tz=timezone(timedelta(seconds=utc_offset_s))).strftime(pattern)


def exponent(currency: str) -> int:
    """How many decimals the currency has by ISO 4217."""
    if currency.upper() in _WHOLE.split():
        return 0
    return 3 if currency.upper() in _THOUSANDTHS.split() else 2


def minor(amount: Decimal, decimals: int) -> int:
    """Whole minor units, exact.

    Raises:
        ValueError: the amount has more decimals than that; rounding somebody's money is not ours to do.
    """
    scaled = amount.scaleb(decimals)
    whole = int(scaled)
    if scaled != whole:
        raise ValueError(f"{amount} has more than {decimals} decimals")
    return whole


def fixed(amount: Decimal, decimals: int) -> Decimal:
    """The amount written with exactly `decimals` decimals: 99.9 -> 99.90. ValueError when that would round it."""
    return Decimal(minor(amount, decimals)).scaleb(-decimals)


def shortest(amount: Decimal) -> Decimal | int:
    """The amount as JavaScript and Java print numbers: 97.00 -> 97, 99.90 -> 99.9."""
    if amount == int(amount):
        return int(amount)
    return amount.normalize()


def cut(amount: int, parts: int, *, unit: int = 1) -> int:
    """`parts` of three equal parts of the amount (minor units), each rounded down to whole `unit`s.

    Raises:
        ValueError: nothing is left of a part.
    """
    part = amount // 3 // unit * unit
    if not part:
        raise ValueError(f"An amount of {amount} minor units is too small to be paid back in parts.")
    return parts * part


def percent(amount: Decimal, share: str, currency: str) -> Decimal:
    """So many percent of the amount, rounded half up to the currency's smallest unit."""
    cent = Decimal(1).scaleb(-exponent(currency))
    return (amount * Decimal(share) / 100).quantize(cent, rounding=ROUND_HALF_UP)


PARTNERS_PERCENT: Mapping[str, str] = {"affiliate": "40", "coproducer": "25"}


def shares(net: Decimal, partners: Iterable[str], currency: str) -> dict[str, Decimal]:
    """What each partner gets of what the platform left over, and the producer of the rest; together exactly `net`."""
    parts = {partner: percent(net, PARTNERS_PERCENT[partner], currency) for partner in partners}
    return {"producer": net - sum(parts.values(), Decimal(0)), **parts}
