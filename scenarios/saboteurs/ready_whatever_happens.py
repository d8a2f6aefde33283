"""`/health/ready` answers 200 as long as the process lives: the balancer sends sales to who can store none."""

from reference_impl.web import health
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("R-30[stripe-vendor]",)


def patch() -> None:
    """Nobody asks the database."""
    swap(health, "_schema_complaint", returning(None))
