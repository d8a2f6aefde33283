"""Consent is stored and shown, and nobody asks it before sending."""

from reference_impl.dispatch import store
from reference_impl.domain import matching
from scenarios.saboteurs._patching import returning, rewrite, swap

CAUGHT_BY = ("T-03[stripe-vendor]",)


def patch() -> None:
    """Nobody has refused, neither when the sale comes in nor when it goes out."""
    swap(matching, "denied", returning(False))
    rewrite(store, "_CLAIM", "AND k.consent = 'denied'", "AND false", used_by="claim")
