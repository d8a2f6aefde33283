"""Consent is looked at when the sale comes in, and never again: what waits is sent after a withdrawal."""

from reference_impl.db import visits
from reference_impl.dispatch import store
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("T-15[stripe-vendor-consent]",)


def patch() -> None:
    """A withdrawal stops nothing that waits."""
    mine = "WHERE tenant_id = %(tenant)s AND click_id = %(click_id)s\n  AND state"
    rewrite(visits, "_STOP", mine, mine.replace("AND state", "AND false AND state"), used_by="change_consent")
    rewrite(store, "_CLAIM", "AND k.consent = 'denied'", "AND false", used_by="claim")
