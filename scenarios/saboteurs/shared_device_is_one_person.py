"""The cookie is the person: the second buyer on the family's tablet carries the first one's click."""

from typing import Any

from reference_impl.domain import matching
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("T-19[hotmart-vendor]",)


def patch() -> None:
    """There are no strangers."""

    def make(_: Any) -> Any:
        def strangers(*_: Any) -> set[Any]:
            bite()
            return set()

        return strangers

    swap(matching, "_strangers", make)
