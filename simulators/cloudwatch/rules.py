"""What PutMetricData takes and what it refuses. Pure functions.

Source:
    facts/aws_pagerduty.md section 1 (1.1 to 1.6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_DATA, MAX_VALUES, MAX_DIMENSIONS = 1000, 150, 30
_MOST = 2.0**360
_PAST_S, _FUTURE_S = 14 * 86_400, 2 * 3600
_SET = ("SampleCount", "Sum", "Minimum", "Maximum")


class Refused(Exception):
    """CloudWatch would not take it: its code, and why in words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """What was put, as it came: raw values with their counts, or a statistic set."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    at_s: float
    values: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    statistics: Mapping[str, float] | None = None
    unit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For `/_golive/datapoints`."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "dimensions": dict(self.dimensions),
            "at_s": self.at_s,
            "values": list(self.values),
            "counts": list(self.counts),
            "statistics": self.statistics,
            "unit": self.unit,
        }


def datapoints(given: Mapping[str, Any], *, now_s: float) -> list[Datapoint]:
    """All of one PutMetricData. One that is wrong spoils the call, as at AWS. Raises Refused."""
    namespace = given.get("Namespace")
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255 or namespace.startswith((":", "AWS/")):
        raise Refused("InvalidParameterValue", "Namespace has 1 to 255 characters, and begins with neither : nor AWS/.")
    data = given.get("MetricData")
    if not isinstance(data, list) or not data:
        raise Refused("MissingParameter", "MetricData is a list, and not empty.")
    if len(data) > MAX_DATA:
        raise Refused("InvalidParameterValue", f"MetricData has {len(data)} entries; at most {MAX_DATA} are taken.")
    return [_datapoint(namespace, one, now_s) for one in data]


def _datapoint(namespace: str, told: Any, now_s: float) -> Datapoint:
    if not isinstance(told, Mapping):
        raise Refused("InvalidParameterValue", "An entry of MetricData is a structure.")
    name = told.get("MetricName")
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise Refused("InvalidParameterValue", "MetricName has 1 to 255 characters.")
    values, counts, statistics = _measured(name, told)
    at_s = now_s if told.get("Timestamp") is None else moment(told["Timestamp"])
    if not now_s - _PAST_S <= at_s <= now_s + _FUTURE_S:
        raise Refused("InvalidParameterValue", f"The Timestamp of {name} is more than two weeks old, or in the future.")
    unit = told.get("Unit")
    return Datapoint(
        namespace=namespace,
        name=name,
        dimensions=dimensions(name, told.get("Dimensions") or []),
        at_s=at_s,
        values=values,
        counts=counts,
        statistics=statistics,
        unit=None if unit in (None, "None") else str(unit),
    )


def _measured(
    name: str, told: Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[float, ...], Mapping[str, float] | None]:
    forms = [key for key in ("Value", "Values", "StatisticValues") if told.get(key) is not None]
    if len(forms) != 1:
        raise Refused("InvalidParameterCombination", f"{name} has one of Value, Values and StatisticValues.")
    if forms == ["Value"]:
        return (_number(name, told["Value"]),), (1.0,), None
    if forms == ["StatisticValues"]:
        given = told["StatisticValues"]
        if not isinstance(given, Mapping) or any(given.get(key) is None for key in _SET):
            raise Refused("MissingParameter", f"StatisticValues of {name} has {', '.join(_SET)}.")
        return (), (), {key: _number(name, given[key]) for key in _SET}
    values = [_number(name, one) for one in _list(name, told["Values"])]
    counts = [_number(name, one) for one in _list(name, told.get("Counts") or [1] * len(values))]
    if not values or len(values) > MAX_VALUES or len(values) != len(counts):
        raise Refused("InvalidParameterValue", f"{name} has 1 to {MAX_VALUES} Values, and as many Counts.")
    if any(count <= 0 for count in counts):
        raise Refused("InvalidParameterValue", f"The Counts of {name} are above zero.")
    return tuple(values), tuple(counts), None


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("InvalidParameterValue", f"Values and Counts of {name} are lists.")
    return value


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Refused("InvalidParameterValue", f"{name} has a value that is no number.") from None
    if not math.isfinite(number) or abs(number) > _MOST:
        raise Refused("InvalidParameterValue", f"{name} has a value beyond 2^360, or that is no number.")
    return number


def dimensions(name: str, told: Any) -> tuple[tuple[str, str], ...]:
    """Of the metric `name`, in the order of their names. Raises Refused."""
    if not isinstance(told, list) or len(told) > MAX_DIMENSIONS:
        raise Refused("InvalidParameterValue", f"{name} has at most {MAX_DIMENSIONS} dimensions.")
    found: dict[str, str] = {}
    for one in told:
        key, value = (one.get("Name"), one.get("Value")) if isinstance(one, Mapping) else (None, None)
        if not _is_word(key, 255) or not _is_word(value, 1024) or str(key).startswith(":"):
            raise Refused("InvalidParameterValue", f"A dimension of {name} is empty, too long, or not ASCII.")
        found[str(key)] = str(value)
    return tuple(sorted(found.items()))


def _is_word(text: Any, most: int) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= most and text.isascii() and bool(text.strip())


def moment(stamp: Any) -> float:
    """A datetime (CBOR), seconds (JSON) or ISO 8601 (Query), as seconds since 1970. Raises Refused."""
    if isinstance(stamp, datetime):
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    if isinstance(stamp, int | float):
        return float(stamp)
    try:
        return datetime.fromisoformat(str(stamp)).timestamp()
    except ValueError:
        raise Refused("InvalidParameterValue", "A Timestamp is not ISO 8601.") from None
