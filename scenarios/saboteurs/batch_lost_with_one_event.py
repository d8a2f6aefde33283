"""Meta refuses a batch for one bad event, and the whole batch is buried with it."""

from typing import Any

from reference_impl.dispatch import sender
from reference_impl.dispatch.classify import Kind
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-32",)


def patch() -> None:
    """All for one."""

    def make(old: Any) -> Any:
        def settle(self: Any, batch: Any, call: Any, token: Any) -> Any:
            if call.outcome.kind is not Kind.POISON or len(batch) == 1:
                return old(self, batch, call, token)
            bite()
            self._sender.bury(self._connection, batch, call.outcome.reason, call)
            return token

        return settle

    swap(sender._Round, "_settle", make)
