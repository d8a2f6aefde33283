"""What tidies up deletes a sale with its hashes: a vendor that tells of it again weeks later has sold it twice."""

from reference_impl.dispatch import retention
from scenarios.saboteurs._patching import rewrite, swap

CAUGHT_BY = ("R-80[hotmart-vendor]",)


def patch() -> None:
    """The sale, and the registry's word for it, go when the hashes may."""
    rewrite(
        retention,
        "_FORGET",
        "UPDATE conversions SET user_data = '{}', client_sealed = NULL, client_expires_at = NULL\nWHERE id IN",
        "DELETE FROM conversions WHERE id IN",
        used_by="tidy",
    )
    swap(retention, "_REGISTRY", lambda old: old.replace("< %(before)s", "< %(before)s + interval '370 days'"))
