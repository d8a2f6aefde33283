"""A click is credited with a payment that came before it: who clicks the ad in the thank-you mail has "bought"."""

from typing import Any

from reference_impl.domain import matching
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("T-20[hotmart-vendor]",)


def patch() -> None:
    """Before or after."""

    def make(old: Any) -> Any:
        def best_match(candidates: Any, **how: Any) -> Any:
            bite()
            return old(candidates, **{**how, "paid_within_s": 1e9})

        return best_match

    swap(matching, "best_match", make)
