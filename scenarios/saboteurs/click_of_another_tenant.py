"""Clicks are looked for by e-mail alone: one customer's buyer carries another customer's ad click to Meta."""

from reference_impl.db import conversions
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("T-05[hotmart-vendor]",)


def patch() -> None:
    """Whoever's click it was."""
    rewrite(
        conversions,
        "_LOOK",
        "SELECT * FROM clicks WHERE tenant_id = asked.tenant",
        "SELECT * FROM clicks WHERE true",
        used_by="record_purchases",
    )
