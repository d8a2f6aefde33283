"""Stripe's cents are told to Meta as reais: every sale is worth a hundred times as much, and the bidding goes wild."""

from decimal import Decimal
from typing import Any

from reference_impl.domain import money
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-17[stripe-vendor-19.99]", "G-17[kiwify-vendor-19.99]")


def patch() -> None:
    """A hundred is a hundred."""

    def make(_: Any) -> Any:
        def from_minor(value: Any, _: str) -> Decimal:
            bite()
            return money.major(value)

        return from_minor

    swap(money, "from_minor", make)
