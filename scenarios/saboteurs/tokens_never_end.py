"""The end of a token is read once, when the process starts, and believed for ever: nobody is warned of a new one's."""

from reference_impl.monitoring import gauges
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("W-03",)


def patch() -> None:
    """There is always time."""
    swap(gauges.TokenEnds, "seconds_left", returning(gauges.FOR_EVER_S))
