"""The pauses double, and all that failed together comes back together: Meta, just well again, is run over."""

from typing import Any

from reference_impl.dispatch import backoff
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-30",)


def patch() -> None:
    """Always the whole span."""

    def make(_: Any) -> Any:
        def full_jitter_s(failures: int, *, base_s: float, max_s: float, rng: Any) -> float:
            bite()
            return float(min(max_s, base_s * 2.0 ** min(max(failures, 1) - 1, 60)))

        return full_jitter_s

    swap(backoff, "full_jitter_s", make)
