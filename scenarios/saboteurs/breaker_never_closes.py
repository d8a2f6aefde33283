"""The probe's success is logged and not written: once open, the breaker stays so until somebody restarts the table."""

from typing import Any

from reference_impl.dispatch import breaker
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-05",)


def patch() -> None:
    """Life changes nothing."""

    def make(old: Any) -> Any:
        def after_life_sign(before: Any, *, is_probe: bool) -> Any:
            if before.state == "closed":
                return old(before, is_probe=is_probe)
            bite()
            return breaker.after_failure(before, breaker.Rules(threshold=1, reset_s=1.0), is_probe=is_probe)

        return after_life_sign

    swap(breaker, "after_life_sign", make)
