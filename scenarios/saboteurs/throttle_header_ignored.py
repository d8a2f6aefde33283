"""Meta's usage headers are not read: asked to stay away for a minute, the pipeline comes back after a second."""

from reference_impl.dispatch import classify
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("D-11[4]", "D-11[80004]")


def patch() -> None:
    """No header asks for anything."""
    swap(classify, "_asked_wait_s", returning(None))
