"""The time stamp of a signature is read and never compared with the clock: a recorded webhook works for ever."""

from typing import Any

from reference_impl.gateways import _signatures
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-06[stripe-vendor]",)


def patch() -> None:
    """Any age will do."""

    def make(old: Any) -> Any:
        def check_timestamped(header: str | None, body: bytes, secrets: Any, **how: Any) -> None:
            bite()
            old(header, body, secrets, **{**how, "tolerance_s": float("inf")})

        return check_timestamped

    swap(_signatures, "check_timestamped", make)
