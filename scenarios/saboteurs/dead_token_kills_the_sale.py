"""A refused token is taken for a refused event: what came while it was dead lies in the dead letters."""

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind
from scenarios.saboteurs._patching import biting, entry, swap

CAUGHT_BY = ("D-04", "R-60[token_dies_and_is_renewed]")


def patch() -> None:
    """Code 190 is the event's fault."""
    entry(classify._TABLE, (190, None), lambda _: Kind.POISON, where="classify._TABLE")
    swap(classify, "_refused", biting)
