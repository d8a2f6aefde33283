"""Taking fields out of a stranger's JSON: what is missing or of the wrong kind is named, its value never."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from reference_impl.domain import money
from reference_impl.gateways import SchemaMismatch

Value = TypeVar("Value")

BRASILIA = timezone(timedelta(hours=-3))
"""Brazil has had no summer time since 2019. Read as UTC, a Brazilian time lies three hours in the future (2804004)."""

_MAX_TEXT = 4000
_YEAR_2100_S = 4_102_444_800


def at(root: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None where the way ends early or leads through something else."""
    place: Any = root
    for step in _steps(path):
        place = place.get(step) if isinstance(place, dict) else None  # what `parse` gives; a Mapping is slow to ask for
    return place


@lru_cache(maxsize=512)
def _steps(path: str) -> list[str]:
    return path.split(".")


def text(root: Mapping[str, Any], path: str) -> str | None:
    """A text, trimmed; None for none, an empty one, or what is no text. Numbers are taken as their digits."""
    value = at(root, path)
    if not isinstance(value, str):
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        value = str(value)
    found = value.strip()
    # PostgreSQL has no place for a NUL, and half a surrogate has no UTF-8.
    if "\x00" in found or len(found) > _MAX_TEXT or not _encodable(found):
        raise SchemaMismatch(f"{path} cannot be read as text.")
    return found or None


def _encodable(found: str) -> bool:
    if found.isascii():
        return True
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def required(root: Mapping[str, Any], path: str) -> str:
    """A text that must be there. Raises SchemaMismatch."""
    found = text(root, path)
    if found is None:
        raise SchemaMismatch(f"{path} is missing.")
    return found


def sale_id(root: Mapping[str, Any], path: str) -> str:
    """A sale's own id: required, and short. Raises SchemaMismatch."""
    found = required(root, path)
    if len(found) > 255:
        raise SchemaMismatch(f"{path} is too long for an id.")
    return found


def amount(root: Mapping[str, Any], path: str) -> Decimal:
    """Major units. Raises SchemaMismatch."""
    return _money(lambda: money.major(at(root, path)), path)


def minor_amount(root: Mapping[str, Any], path: str, currency_code: str) -> Decimal:
    """Minor units, as major ones. Raises SchemaMismatch."""
    return _money(lambda: money.from_minor(at(root, path), currency_code), path)


def currency(root: Mapping[str, Any], path: str) -> str:
    """Three letters. Raises SchemaMismatch."""
    return _money(lambda: money.currency(at(root, path)), path)


def _money(read: Callable[[], Value], path: str) -> Value:
    try:
        return read()
    except money.BadMoney as error:
        raise SchemaMismatch(f"{path}: {error}.") from None


def epoch_s(root: Mapping[str, Any], path: str, *, per_second: int = 1) -> int | None:
    """Seconds since 1970 from an integer in seconds (`per_second=1`) or milliseconds (1000); None where it is absent.

    Raises:
        SchemaMismatch: it is there and is no time.
    """
    value = at(root, path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value // per_second < _YEAR_2100_S:
        raise SchemaMismatch(f"{path} is no time.")
    return value // per_second


def moment_s(root: Mapping[str, Any], path: str, *, naive_in: timezone = UTC) -> int | None:
    """Seconds since 1970 from a written time; one without a zone is read in `naive_in`. None where it is absent
    or empty.

    Raises:
        SchemaMismatch: it is there and is no time.
    """
    value = at(root, path)
    if value is not None and not isinstance(value, str):
        raise SchemaMismatch(f"{path} is no time.")
    written = text(root, path)
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written)
        seconds = (found if found.tzinfo else found.replace(tzinfo=naive_in)).timestamp()
    except (ValueError, OverflowError):
        raise SchemaMismatch(f"{path} is no time.") from None
    if not 0 < seconds < _YEAR_2100_S:
        raise SchemaMismatch(f"{path} is no time.")
    return int(seconds)


def given_name(full_name: str | None) -> tuple[str | None, str | None]:
    """First and last word of a name; a single word is a first name."""
    words = (full_name or "").split()
    return (words[0] if words else None, words[-1] if len(words) > 1 else None)
