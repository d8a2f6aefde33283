"""The check of the signature was switched off for a test in staging, and the switch went live."""

from reference_impl.gateways import _signatures
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("G-01[hotmart-plan]", "G-01[stripe-vendor]")


def patch() -> None:
    """Whatever was given fits."""
    swap(_signatures, "any_same", returning(True))
