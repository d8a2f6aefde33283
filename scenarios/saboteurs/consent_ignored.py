"""Consent is stored and shown, and nobody asks it before sending."""

from reference_impl.domain import matching
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("T-03[stripe-vendor]",)


def patch() -> None:
    """Nobody has refused."""
    swap(matching, "denied", returning(False))
