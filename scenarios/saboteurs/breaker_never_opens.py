"""The breaker counts failures and compares them with a threshold that was read as a text: it never opens."""

from typing import Any

from reference_impl.dispatch import breaker
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-05", "R-60[meta_down_opens_the_breaker]")


def patch() -> None:
    """A failure changes nothing."""

    def make(_: Any) -> Any:
        def after_failure(before: Any, _: Any, *, is_probe: bool) -> Any:
            bite()
            return before

        return after_failure

    swap(breaker, "after_failure", make)
