"""DescribeAlarms and GetMetricStatistics, answered from what is kept. Pure functions.

The alarms are told by whoever evaluates them (`PUT /_golive/alarms`); here nothing is evaluated.

Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html and
    API_GetMetricStatistics.html: at most 1,440 datapoints a call; a period of 60 s or a multiple; stamps begin periods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from simulators.cloudwatch.rules import Datapoint, Refused, dimensions, moment

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
MAX_DATAPOINTS = 1440
MAX_ALARMS = 100


class ToldAlarm(BaseModel):
    """One alarm as its evaluator tells it."""

    model_config = ConfigDict(extra="forbid")
    name: str
    arn: str
    description: str = ""
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str = ""
    since_s: float
    actions: list[str] = []


def describe_alarms(given: Mapping[str, Any], alarms: Iterable[ToldAlarm]) -> dict[str, Any]:
    """The answer: by names, by how they begin, by state; a name that is not there is no error, as at AWS."""
    names, begins, state = given.get("AlarmNames"), given.get("AlarmNamePrefix"), given.get("StateValue")
    if names and begins:
        raise Refused("ValidationError", "AlarmNames and AlarmNamePrefix do not go together.")
    if names and (not isinstance(names, list) or len(names) > MAX_ALARMS):
        raise Refused("ValidationError", f"AlarmNames is a list of at most {MAX_ALARMS}.")
    found = [
        one
        for one in sorted(alarms, key=lambda one: one.name)
        if (not names or one.name in names) and one.name.startswith(begins or "") and state in (None, one.state)
    ]
    return {"MetricAlarms": [_alarm(one) for one in found[:MAX_ALARMS]], "CompositeAlarms": []}


def _alarm(told: ToldAlarm) -> dict[str, Any]:
    return {
        "AlarmName": told.name,
        "AlarmArn": told.arn,
        "AlarmDescription": told.description,
        "ActionsEnabled": True,
        "AlarmActions": list(told.actions),
        "StateValue": told.state,
        "StateReason": told.reason,
        "StateUpdatedTimestamp": datetime.fromtimestamp(told.since_s, UTC),
    }


def metric_statistics(given: Mapping[str, Any], points: Iterable[Datapoint]) -> dict[str, Any]:
    """The answer: a datapoint for each period in which something was put, with the statistics that were asked for.

    Raises:
        Refused: something is missing, or is more than AWS gives.
    """
    missing = [key for key in ("Namespace", "MetricName", "StartTime", "EndTime", "Period") if given.get(key) is None]
    if missing:
        raise Refused("MissingParameter", f"The parameter {missing[0]} is required.")
    wanted = given.get("Statistics") or []
    if not wanted or not set(wanted) <= set(STATISTICS):
        raise Refused("InvalidParameterValue", f"Statistics are of {', '.join(STATISTICS)}; percentiles are not given.")
    name, period_s = str(given["MetricName"]), int(given["Period"])
    begin_s, end_s = moment(given["StartTime"]), moment(given["EndTime"])
    if period_s < 60 or period_s % 60 or begin_s >= end_s:
        raise Refused("InvalidParameterValue", "Period is a multiple of 60, and StartTime is before EndTime.")
    if (end_s - begin_s) / period_s > MAX_DATAPOINTS:
        raise Refused("InvalidParameterCombination", f"More than {MAX_DATAPOINTS} datapoints were asked for.")
    told = dimensions(name, given.get("Dimensions") or [])
    found: dict[float, list[Datapoint]] = {}
    for one in points:
        if (one.namespace, one.name, one.dimensions) == (
            given["Namespace"],
            name,
            told,
        ) and begin_s <= one.at_s < end_s:
            found.setdefault(begin_s + (one.at_s - begin_s) // period_s * period_s, []).append(one)
    return {"Label": name, "Datapoints": [_datapoint(at_s, those, wanted) for at_s, those in sorted(found.items())]}


def _datapoint(at_s: float, points: Sequence[Datapoint], wanted: Sequence[str]) -> dict[str, Any]:
    sets = [_set(one) for one in points]
    count, total = sum(one["SampleCount"] for one in sets), sum(one["Sum"] for one in sets)
    known = {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count if count else 0.0,
        "Minimum": min(one["Minimum"] for one in sets),
        "Maximum": max(one["Maximum"] for one in sets),
    }
    return {
        "Timestamp": datetime.fromtimestamp(at_s, UTC),
        **{key: known[key] for key in STATISTICS if key in wanted},
        "Unit": points[0].unit or "None",
    }


def _set(point: Datapoint) -> Mapping[str, float]:
    if point.statistics is not None:
        return point.statistics
    return {
        "SampleCount": sum(point.counts),
        "Sum": sum(value * count for value, count in zip(point.values, point.counts, strict=True)),
        "Minimum": min(point.values),
        "Maximum": max(point.values),
    }
