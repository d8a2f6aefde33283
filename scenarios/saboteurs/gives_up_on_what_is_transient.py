"""A 500 of Meta's is taken for a refusal: the first short illness of Meta sends the day's sales to the dead letters."""

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind
from scenarios.saboteurs._patching import biting, entry, swap

CAUGHT_BY = ("D-01[hotmart-vendor]", "D-13", "R-60[brown_out_of_a_third]")


def patch() -> None:
    """Code 2 is the event's fault."""
    entry(classify._TABLE, (2, None), lambda _: Kind.POISON, where="classify._TABLE")
    swap(classify, "_refused", biting)
