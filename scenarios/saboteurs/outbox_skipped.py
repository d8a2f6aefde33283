"""The conversion is committed, and its message was to be sent afterwards; the process died, and nobody looks for it."""

from reference_impl.db import conversions
from reference_impl.dispatch import strays
from scenarios.saboteurs._patching import returning, rewrite, swap

CAUGHT_BY = ("S-01[hotmart-vendor]",)


def patch() -> None:
    """No row for the relay, and no search for strays, which would find it."""
    waiting = "SELECT id FROM one WHERE state = 'pending'"
    rewrite(conversions, "_WRITE", waiting, "SELECT id FROM one WHERE false", used_by="record_purchases")
    swap(strays, "recover", returning(None))
