"""When each request is due: fixed before the first one is sent, whatever the target does (an open model)."""

from __future__ import annotations

from random import Random


def due_times(*, seed: int, rate_per_s: float, duration_s: float) -> list[float]:
    """Seconds from the start, in order: arrivals of a Poisson process, given how many there are.

    Their number is exactly `rate_per_s * duration_s`, rounded, so that a run's sample count does not hang on luck.
    """
    rng = Random(f"{seed}/schedule")
    return sorted(rng.uniform(0, duration_s) for _ in range(round(rate_per_s * duration_s)))
