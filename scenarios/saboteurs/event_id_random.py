"""The event id is a fresh UUID in each process, so a second computation is a second purchase."""

import uuid
from typing import Any

from reference_impl.domain import event_id
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-09[stripe-vendor]",)


def patch() -> None:
    """No two are alike."""

    def make(_: Any) -> Any:
        def named(*, tenant: str, gateway: str, sale_id: str, kind: str = "purchase") -> str:
            bite()
            return f"{kind}.{uuid.uuid4().hex}"

        return named

    swap(event_id, "event_id", make)
