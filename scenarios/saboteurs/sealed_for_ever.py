"""A buyer's address is sealed for the days that Meta may want it, and nobody looks at that end: it is kept for ever."""

from reference_impl.dispatch import retention
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("R-78",)


def patch() -> None:
    """The end that was written beside it is looked at by nobody."""
    rewrite(
        retention,
        "_CLOSE",
        "client_expires_at < %(before)s",
        "client_expires_at < %(before)s AND FALSE",
        used_by="tidy",
    )
