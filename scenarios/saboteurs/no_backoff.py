"""What failed is tried again at once, and again: the worst moment of Meta's day is made worse by us."""

from reference_impl.dispatch import backoff
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("D-12",)


def patch() -> None:
    """No pause."""
    swap(backoff, "full_jitter_s", returning(0.0))
