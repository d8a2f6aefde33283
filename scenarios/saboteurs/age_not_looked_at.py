"""Meta's limit of seven days is not known: one old event has its whole batch refused, and ends in the dead letters."""

from reference_impl.domain import event
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("D-07[hotmart-vendor]", "D-07[stripe-vendor]")


def patch() -> None:
    """Nothing is too old."""
    swap(event, "too_old", returning(False))
