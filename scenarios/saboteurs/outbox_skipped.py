"""The conversion is committed, and the message was to be sent afterwards; the process died, and nobody knows of it."""

from reference_impl.db import conversions
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("S-01[hotmart-vendor]",)


def patch() -> None:
    """No row for the relay."""
    rewrite(
        conversions,
        "_WRITE",
        "SELECT id FROM one WHERE state = 'pending'",
        "SELECT id FROM one WHERE false",
        used_by="record_purchase",
    )
