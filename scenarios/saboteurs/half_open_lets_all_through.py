"""Half-open was forgotten: when the wait is over everything that was held runs at a Meta that is still ill."""

from typing import Any

from reference_impl.dispatch import breaker
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-31",)


def patch() -> None:
    """After the wait the way is free."""

    def make(old: Any) -> Any:
        def may_send(now: Any, rules: Any) -> Any:
            verdict = old(now, rules)
            if verdict != "probe" and now.state != "half_open":
                return verdict
            bite()
            return breaker.Pass()

        return may_send

    swap(breaker, "may_send", make)
