"""What a process counts, in memory: cheap enough for every webhook. No I/O, no clock."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass

from reference_impl.monitoring.names import COUNTERS, SPREADS

MAX_VALUES = 150
"""Values in one datum that CloudWatch takes (facts/aws_pagerduty.md, section 1)."""
_DIGITS = 3
"""Of a latency: 12.3 ms, 123 ms, 1230 ms. So a minute has hundreds of different values at most, however busy it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One metric of one period: values, and how often each was seen."""

    name: str
    values: tuple[float, ...]
    counts: tuple[float, ...]


class Meter:
    """Counters and distributions, for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()
        self._spread: dict[str, Counter[float]] = {}

    def count(self, name: str, by: int = 1) -> None:
        """So many more. Raises KeyError: no such counter is published."""
        if name not in COUNTERS:
            raise KeyError(name)
        with self._lock:
            self._counted[name] += by

    def observe(self, name: str, value: float, *, times: int = 1) -> None:
        """A value of a distribution, seen so often. Raises KeyError: no such distribution is published."""
        if name not in SPREADS:
            raise KeyError(name)
        short = _short(value)
        with self._lock:
            self._spread.setdefault(name, Counter())[short] += times

    def take(self) -> list[Datum]:
        """What has been counted since the last time; a counter of nothing is not told."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
            spread, self._spread = self._spread, {}
        data = [Datum(name=name, values=(float(total),), counts=(1.0,)) for name, total in counted.items() if total]
        for name, seen in spread.items():
            pairs = sorted(seen.items())
            for start in range(0, len(pairs), MAX_VALUES):
                values, counts = zip(*pairs[start : start + MAX_VALUES], strict=True)
                data.append(Datum(name=name, values=values, counts=tuple(float(one) for one in counts)))
        return data


def _short(value: float) -> float:
    if value <= 0 or not math.isfinite(value):
        return 0.0
    return round(value, _DIGITS - 1 - math.floor(math.log10(value)))
