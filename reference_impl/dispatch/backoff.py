"""How long to wait before the next try. Pure."""

from __future__ import annotations

import random


def full_jitter_s(failures: int, *, base_s: float, max_s: float, rng: random.Random) -> float:
    """Seconds until the next try after `failures` (1 or more) in a row: uniform in [0, min(max, base·2^(n-1))].

    The whole span is random, so that what failed together does not come back together.

    Source:
        AWS Architecture Blog, "Exponential Backoff and Jitter" (the variant "full jitter").
    """
    # The exponent is bounded: 2.0 ** 1100 would overflow, and 60 doublings exceed any cap.
    ceiling_s = min(max_s, base_s * 2.0 ** min(max(failures, 1) - 1, 60))
    return rng.uniform(0.0, ceiling_s)
