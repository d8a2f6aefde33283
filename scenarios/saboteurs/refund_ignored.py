"""Refunds are acknowledged and thrown away: what was paid back before it was sent is sent."""

from reference_impl.db import conversions
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("G-13[hotmart-vendor]", "G-26[stripe-vendor]")


def patch() -> None:
    """Accepted, and nothing done."""
    swap(conversions, "record_reversal", returning("accepted"))
