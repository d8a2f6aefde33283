"""A throttle counts as a failure of Meta's: a busy hour opens the breaker, and the sales of it wait."""

from typing import Any

from reference_impl.dispatch.classify import Kind, Outcome
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-12",)


def patch() -> None:
    """Only a success proves Meta alive."""

    def make(old: Any) -> Any:
        def alive(self: Any) -> bool:
            if self.kind is Kind.THROTTLED:
                bite()
                return False
            return bool(old.fget(self))

        return property(alive)

    swap(Outcome, "proves_meta_alive", make)
