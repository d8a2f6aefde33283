"""An erasure deletes the clicks and forgets that the hashes of a phone are still the person's."""

from reference_impl.db import people
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("P-04",)


def patch() -> None:
    """The hashes stay."""
    rewrite(people, "_ERASE", "SET user_data = '{}', client_sealed", "SET client_sealed", used_by="erase")
