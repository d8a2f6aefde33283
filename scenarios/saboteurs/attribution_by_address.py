"""Who has no click id is given the last click from "the same" network: the vendor's server, or a mobile carrier's."""

from typing import Any

from reference_impl.db import conversions
from reference_impl.domain import matching
from scenarios.saboteurs._patching import bite, rewrite, swap

CAUGHT_BY = ("T-30[stripe-vendor]",)


def patch() -> None:
    """The tenant's last click will do."""

    def make(old: Any) -> Any:
        def best_match(candidates: Any, **how: Any) -> Any:
            found = old(candidates, **how)
            if found or not candidates:
                return found
            bite()
            return matching.Match(candidate=max(candidates, key=lambda one: one.clicked_at_s), method="email")

        return best_match

    swap(matching, "best_match", make)
    rewrite(
        conversions,
        "_LOOK",
        "(click_id = asked.click_id OR",
        "(true OR click_id = asked.click_id OR",
        used_by="record_purchases",
    )
