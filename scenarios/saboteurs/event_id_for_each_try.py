"""The event id is made when the request is built: after a lost answer Meta counts the second try as a second sale."""

import uuid
from typing import Any

from reference_impl.domain import event
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-01[stripe-vendor]", "D-02[stripe-vendor]")


def patch() -> None:
    """A new id whenever an event is built."""

    def make(old: Any) -> Any:
        def to_capi_event(**fields: Any) -> Any:
            bite()
            return old(**{**fields, "event_id": uuid.uuid4().hex})

        return to_capi_event

    swap(event, "to_capi_event", make)
