"""The token is read when the process starts: after its renewal every sale is refused until somebody restarts it."""

from typing import Any

from reference_impl.dispatch.token import TokenBook
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-04",)


def patch() -> None:
    """Look once."""

    def make(old: Any) -> Any:
        def look(self: Any, shelf: Any, tenant: str) -> None:
            if shelf.token is None:
                old(self, shelf, tenant)
                return
            bite()
            shelf.read_at_s = self._monotonic_s()

        return look

    swap(TokenBook, "_look", make)
