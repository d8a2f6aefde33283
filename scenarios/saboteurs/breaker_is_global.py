"""One breaker for Meta as a whole: the one customer whose token went wrong stops everybody's sales."""

from typing import Any

from reference_impl.dispatch.breaker_store import BreakerStore
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-10",)


def patch() -> None:
    """All pixels are one."""

    def make(old: Any) -> Any:
        def method(self: Any, connection: Any, _: str, *args: Any, **kwargs: Any) -> Any:
            bite()
            return old(self, connection, "meta", *args, **kwargs)

        return method

    for name in ("admit", "report"):
        swap(BreakerStore, name, make)
