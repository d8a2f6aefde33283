"""Refused signatures are somebody else's fault, and nobody counts them: a secret that was rotated wakes nobody."""

from reference_impl.monitoring.webhooks import WebhookWatch
from scenarios.saboteurs._patching import returning, swap

CAUGHT_BY = ("W-07",)


def patch() -> None:
    """No account ever has everything refused."""
    swap(WebhookWatch, "measure", returning({"AccountsRefusingAll": 0.0}))
