"""With every failed probe the breaker counts anew how long it has been open: one that flickers never pages."""

from typing import Any

from reference_impl.dispatch import breaker_store
from scenarios.saboteurs._patching import Gone, biting, swap

CAUGHT_BY = ("W-02",)

_KEPT = "CASE WHEN state = 'closed' THEN clock_timestamp() ELSE last_closed_at END"


def patch() -> None:
    """`last_closed_at` is written each time that it opens."""

    def make(text: Any) -> str:
        if str(text).count(_KEPT) != 1:
            raise Gone("breaker_store._OPEN no longer keeps last_closed_at so")
        return str(text).replace(_KEPT, "clock_timestamp()")

    swap(breaker_store, "_OPEN", make)
    swap(breaker_store.BreakerStore, "_write", biting)
