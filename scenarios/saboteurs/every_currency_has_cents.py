"""Every amount is divided by a hundred: a sale of 500 yen is told as 5."""

from reference_impl.domain import money
from scenarios.saboteurs._patching import biting, swap

CAUGHT_BY = ("G-18[stripe-vendor-JPY-500]", "G-18[stripe-vendor-KWD-5.25]")


def patch() -> None:
    """There are no other currencies."""
    for name in ("_ZERO_DECIMAL", "_THREE_DECIMAL"):
        swap(money, name, lambda _: frozenset())
    swap(money, "from_minor", biting)
