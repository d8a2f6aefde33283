"""Brazilian times without a zone are read as UTC: every sale is three hours early, or lies in the future."""

from datetime import UTC
from typing import Any

from reference_impl.gateways import _fields
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-22[kiwify-vendor]", "G-22[perfectpay-vendor]")


def patch() -> None:
    """A naive time is UTC."""

    def make(old: Any) -> Any:
        def moment_s(root: Any, path: str, **_: Any) -> Any:
            bite()
            return old(root, path, naive_in=UTC)

        return moment_s

    swap(_fields, "moment_s", make)
