"""Only the first eight characters of the signature are compared, as a log line showed them and a test copied it."""

from typing import Any

from reference_impl.gateways import _signatures
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-05[kiwify-plan-truncated_signature]", "G-05[stripe-vendor-truncated_signature]")


def patch() -> None:
    """Compare beginnings."""

    def make(_: Any) -> Any:
        def same(given: str, wanted: str) -> bool:
            bite()
            return given[:8] == wanted[:8]

        return same

    swap(_signatures, "same", make)
