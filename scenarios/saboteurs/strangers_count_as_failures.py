"""Whatever is not answered with 2xx counts as failed: anybody who sends forgeries wakes on-call."""

from typing import Any

from reference_impl.monitoring.webhooks import WebhookWatch
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("W-04",)


def patch() -> None:
    """A forgery is a failure."""

    def make(answered: Any) -> Any:
        def counted(self: Any, tenant: Any, gateway: Any, address: Any, outcome: Any, **kwargs: Any) -> None:
            if outcome == "unproven":
                bite()
            answered(self, tenant, gateway, address, "failed" if outcome == "unproven" else outcome, **kwargs)

        return counted

    swap(WebhookWatch, "answered", make)
