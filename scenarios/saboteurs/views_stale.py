"""The refresh hangs behind a lock and is skipped in silence: the dashboard shows yesterday, and looks well."""

from reference_impl.analytics import rollup
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("A-04",)


def patch() -> None:
    """Never due."""
    swap(rollup, "refresh_if_due", returning(None))
