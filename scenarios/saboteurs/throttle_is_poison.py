"""A throttle of Meta's is read as a refusal: an hour in which too many ask costs what was sold in it."""

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind
from scenarios.saboteurs._patching import biting, swap

CAUGHT_BY = ("R-60[throttled_for_five_minutes]",)


def patch() -> None:
    """80000 to 80099 are the event's fault."""
    swap(
        classify, "_RANGES", lambda old: tuple((codes, Kind.POISON if 80004 in codes else kind) for codes, kind in old)
    )
    swap(classify, "_refused", biting)
