"""What the breaker will not let through is left in the queue, until its receive count ends it in the dead letters."""

from typing import Any

from reference_impl.dispatch import store
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-05",)


def patch() -> None:
    """Not now is never."""

    def make(old: Any) -> Any:
        def hold(connection: Any, batch: Any, *, reason: str, **how: Any) -> None:
            if reason != "breaker" or not batch:
                old(connection, batch, reason=reason, **how)
                return
            bite()
            store.end(connection, batch, state="dead_lettered", reason="breaker open")

        return hold

    swap(store, "hold", make)
