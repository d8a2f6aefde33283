"""How long an answer takes: log-normal from its median and 95th percentile, repeatable from a seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

_Z95 = 1.6448536269514722  # 95 % of a normal distribution lie below this many standard deviations
MAX_MS = 600_000.0


class NoSuchLatency(ValueError):
    """Median and 95th percentile do not make a distribution; the message says why."""


@dataclass(frozen=True)
class Latency:
    """A distribution of delays, and its own source of randomness."""

    median_ms: float
    p95_ms: float
    seed: int = 0
    _rng: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (0 < self.median_ms <= self.p95_ms <= MAX_MS):
            message = f"0 < median_ms <= p95_ms <= {MAX_MS:.0f} must hold"
            raise NoSuchLatency(message)
        object.__setattr__(self, "_rng", random.Random(self.seed))

    def draw_s(self) -> float:
        """The next delay in seconds."""
        middle = math.log(self.median_ms)
        sigma = (math.log(self.p95_ms) - middle) / _Z95
        exponent = middle + sigma * self._rng.gauss(0.0, 1.0)
        return math.exp(min(exponent, math.log(MAX_MS))) / 1000  # limited first: exp() of the far tail overflows
