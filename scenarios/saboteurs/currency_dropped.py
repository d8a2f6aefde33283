"""The currency is a constant, since all customers were Brazilian when it was written."""

from reference_impl.domain import money
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("G-28[hotmart-vendor]", "G-28[stripe-vendor]")


def patch() -> None:
    """BRL it is."""
    swap(money, "currency", returning("BRL"))
