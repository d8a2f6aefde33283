"""The first click is credited instead of the last: the ad that brought the buyer back is switched off."""

from typing import Any

from reference_impl.domain import matching
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("T-06[hotmart-vendor]",)


def patch() -> None:
    """The oldest that fits."""

    def make(old: Any) -> Any:
        def best_match(candidates: Any, **how: Any) -> Any:
            if len(candidates) > 1:
                bite()
            for one in sorted(candidates, key=lambda one: one.clicked_at_s):
                if found := old([one], **how):
                    return found
            return None

        return best_match

    swap(matching, "best_match", make)
