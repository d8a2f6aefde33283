"""After five tries a conversion is dead: an illness of an hour costs what was sold in it."""

from typing import Any

from reference_impl.dispatch import store
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-13",)


def patch() -> None:
    """Whatever the reason, five is enough."""

    def make(old: Any) -> Any:
        def hold(connection: Any, batch: Any, *, reason: str, **how: Any) -> None:
            tired = [one for one in batch if reason == "retry" and one.attempts >= 5]
            if not tired:
                old(connection, batch, reason=reason, **how)
                return
            bite()
            store.end(connection, batch, state="dead_lettered", reason="five tries", call=how.get("call"))

        return hold

    swap(store, "hold", make)
