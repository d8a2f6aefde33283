"""The flag is in the table and on the page, and the code that reads it was lost in a merge."""

from reference_impl.domain import door
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("G-40", "G-41")


def patch() -> None:
    """Everything is on."""
    swap(door, "stricter", returning("on"))
