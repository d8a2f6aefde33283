"""The registry is asked for the sale id without the tenant: the second customer with order 1001 sells nothing."""

from reference_impl.db import conversions
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("G-27[hotmart-vendor]", "G-27[stripe-vendor]")


def patch() -> None:
    """Whoever's sale it is."""
    rewrite(
        conversions,
        "_LOOK",
        "WHERE tenant_id = asked.tenant AND gateway = asked.gateway AND sale_id",
        "WHERE gateway = asked.gateway AND sale_id",
        used_by="record_purchases",
    )
