"""The page's address is stored and told as it is, with the e-mail that the shop's checkout has in its query."""

from typing import Any

from reference_impl.domain import pages
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("T-17",)


def patch() -> None:
    """Every parameter is kept."""

    def make(_: Any) -> Any:
        def harmless_url(url: str | None) -> str | None:
            bite()
            return url

        return harmless_url

    swap(pages, "harmless_url", make)
