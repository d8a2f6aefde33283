"""Metrics as CloudWatch keeps them: exact identities, datapoints, statistics over a period. No I/O.

Source: /work/shared/facts/aws_pagerduty.md, section 1; the numbers in docstrings are its paragraphs.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)").fullmatch


class BadMetric(ValueError):
    """CloudWatch would refuse this datapoint or statistic; the message says why."""


@dataclass(frozen=True, slots=True)
class MetricId:
    """A metric is its namespace, its name and its exact set of dimensions: a subset is another metric (1.1)."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> Self:
        """With the dimensions as a mapping; their order means nothing."""
        return cls(namespace, name, frozenset((dimensions or {}).items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a period holds: a statistic set, and the raw values with their counts where all of it came raw (1.7)."""

    count: float
    total: float
    minimum: float
    maximum: float
    raw: tuple[tuple[float, float], ...] | None
    """(value, count), unsorted; None: something came as a statistic set that has no percentiles."""

    @classmethod
    def of_values(cls, values: Sequence[float], counts: Sequence[float] | None = None) -> Self:
        """From Value (one) or Values with Counts (1 each by default). Raises BadMetric."""
        values = [float(value) for value in values]
        weights = [1.0] * len(values) if counts is None else [float(count) for count in counts]
        if not values or len(values) != len(weights):
            raise BadMetric("Values and Counts must be of the same length, and not empty.")
        if any(abs(value) > 2.0**360 or value != value for value in values):  # noqa: PLR0124 -- NaN
            raise BadMetric("Values must be numbers between -2^360 and 2^360.")
        if any(weight <= 0 for weight in weights):
            raise BadMetric("Counts must be above zero.")
        return cls(
            count=sum(weights),
            total=sum(value * weight for value, weight in zip(values, weights, strict=True)),
            minimum=min(values),
            maximum=max(values),
            raw=tuple(zip(values, weights, strict=True)),
        )

    @classmethod
    def of_set(cls, *, count: float, total: float, minimum: float, maximum: float) -> Self:
        """From StatisticValues: percentiles only where all values must have been the same (1.7)."""
        same = minimum == maximum and total == minimum * count
        raw = ((minimum, count),) if same else None
        return cls(count=count, total=total, minimum=minimum, maximum=maximum, raw=raw)

    @classmethod
    def merged(cls, parts: Sequence[Summary]) -> Self:
        """Several datapoints of one period as one."""
        raws = [part.raw for part in parts]
        return cls(
            count=sum(part.count for part in parts),
            total=sum(part.total for part in parts),
            minimum=min(part.minimum for part in parts),
            maximum=max(part.maximum for part in parts),
            raw=None if None in raws else tuple(pair for raw in raws if raw is not None for pair in raw),
        )

    def statistic(self, name: str) -> float | None:
        """One of `STATISTICS`, or a percentile like p95; None where there is no such percentile. Raises BadMetric."""
        match name:
            case "Average":
                return self.total / self.count
            case "Sum":
                return self.total
            case "Minimum":
                return self.minimum
            case "Maximum":
                return self.maximum
            case "SampleCount":
                return self.count
            case _:
                return self._percentile(percent(name))

    def _percentile(self, wanted: float) -> float | None:
        if self.raw is None or self.minimum < 0:  # any negative value: no percentile (1.7)
            return None
        rank = wanted / 100 * self.count
        seen = 0.0
        for value, weight in sorted(self.raw):
            seen += weight
            if seen >= rank - 1e-9:
                return value
        return self.maximum


def percent(statistic: str) -> float:
    """95.0 of p95. Nearest rank is ours: AWS does not publish its interpolation.

    Raises:
        BadMetric: it is no statistic that the harness evaluates.
    """
    found = _PERCENTILE(statistic)
    if not found or not 0 < float(found[1]) <= 100:
        known = ", ".join(STATISTICS)
        raise BadMetric(f"{statistic!r} is no statistic that golive evaluates. Known: {known} and p0.1 to p100.")
    return float(found[1])


def is_percentile(statistic: str) -> bool:
    """Whether it asks for a percentile. Raises BadMetric for what is no statistic."""
    return statistic not in STATISTICS and percent(statistic) > 0


@dataclass(slots=True)
class _Series:
    at_s: list[float] = field(default_factory=list)
    points: list[tuple[Summary, str | None]] = field(default_factory=list)


class Metrics:
    """All datapoints, by metric. Not thread-safe."""

    def __init__(self) -> None:
        self._series: dict[MetricId, _Series] = {}

    def put(self, metric: MetricId, at_s: float, summary: Summary, *, unit: str | None = None) -> None:
        """Add a datapoint of that time (seconds since 1970); late ones find their place."""
        series = self._series.setdefault(metric, _Series())
        where = bisect_right(series.at_s, at_s)
        series.at_s.insert(where, at_s)
        series.points.insert(where, (summary, unit))

    def put_value(self, metric: MetricId, at_s: float, value: float, *, unit: str | None = None) -> None:
        """The commonest case: one raw value."""
        self.put(metric, at_s, Summary.of_values([value]), unit=unit)

    def all(self) -> Iterator[tuple[MetricId, float, Summary]]:
        """Every datapoint with its time, metric by metric, each oldest first."""
        for metric, series in self._series.items():
            for at_s, (summary, _) in zip(series.at_s, series.points, strict=True):
                yield metric, at_s, summary

    def period(self, metric: MetricId, start_s: float, period_s: int, *, unit: str | None = None) -> Summary | None:
        """What lies in [start, start + period); None: nothing. With a unit, only what was published with it (1.3)."""
        series = self._series.get(metric)
        if series is None:
            return None
        first, after = bisect_left(series.at_s, start_s), bisect_left(series.at_s, start_s + period_s)
        parts = [summary for summary, given in series.points[first:after] if unit is None or given == unit]
        if len(parts) == 1:
            return parts[0]
        return Summary.merged(parts) if parts else None
