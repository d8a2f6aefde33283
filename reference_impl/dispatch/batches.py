"""Which conversions share a request to Meta. Pure.

Meta refuses a whole request for one bad event, so a refused batch is halved until the bad event
stands alone: log2(n) extra calls for one bad event among n.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

META_BATCH_LIMIT = 1000
"""Events in one request. Source: facts/meta_capi.md section 2."""

SUSPECT_AFTER = 4
"""So many claims without an end, and a conversion travels alone: if it is what crashes us, or what
earns an error that we take for Meta's illness, it no longer drags others along."""


class Triable(Protocol):
    """What knows how often it was tried, this try included."""

    @property
    def attempts(self) -> int:
        """1 on the first try."""
        ...


One = TypeVar("One", bound=Triable)
Item = TypeVar("Item")


def plan(conversions: Iterable[One], *, size: int) -> list[list[One]]:
    """Batches of at most `size`, in the order given; each suspect is a batch of its own, after the others."""
    if not 1 <= size <= META_BATCH_LIMIT:
        raise ValueError(f"a batch holds 1 to {META_BATCH_LIMIT} events, not {size}")
    everyone = list(conversions)
    calm = [one for one in everyone if one.attempts < SUSPECT_AFTER]
    suspects = [[one] for one in everyone if one.attempts >= SUSPECT_AFTER]
    return [calm[start : start + size] for start in range(0, len(calm), size)] + suspects


def halve(batch: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The two halves of a batch of two or more."""
    if len(batch) < 2:
        raise ValueError("one event cannot be halved: it is the bad one")
    middle = len(batch) // 2
    return list(batch[:middle]), list(batch[middle:])
