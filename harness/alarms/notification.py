"""What CloudWatch publishes when an alarm changes its state, and the SNS envelope around it. No I/O.

Source: /work/shared/facts/aws_pagerduty.md, 2.23 to 2.27 and section 3; the numbers in docstrings are its paragraphs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.alarms.evaluator import Alarm, StatQuery, Transition, stamp
from harness.alarms.metrics import MetricId, is_percentile

MAX_SUBJECT = 100
"""Characters that SNS takes (2.23)."""

#: The message names the region as people do, never by its code (2.24).
LONG_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "sa-east-1": "South America (Sao Paulo)",
    "eu-west-1": "EU (Ireland)",
}
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")

Sign = Callable[[bytes], str]
"""The string to sign -> its signature, Base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose alarms they are, and since when they are configured as they are."""

    account: str = "000000000000"
    region: str = "us-east-1"
    configured_at_s: float = 0.0

    @property
    def region_name(self) -> str:
        """The long name; of a region that we do not know, its code."""
        return LONG_NAMES.get(self.region, self.region)

    def alarm_arn(self, name: str) -> str:
        """The alarm's ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{name}"

    def topic_arn(self, name: str) -> str:
        """A topic's ARN."""
        return f"arn:aws:sns:{self.region}:{self.account}:{name}"


def subject(change: Transition, place: Place) -> str:
    """`ALARM: "name" in US East (N. Virginia)`, the name shortened so that all of it fits (2.23)."""
    tail = f'" in {place.region_name}'
    head = f'{change.new}: "'
    room = MAX_SUBJECT - len(head) - len(tail)
    name = change.alarm.name
    return head + (name if len(name) <= room else name[: room - 3] + "...") + tail


def message(change: Transition, place: Place) -> Mapping[str, Any]:
    """The JSON in the SNS message's `Message` (2.24). StateReasonData is not in it."""
    alarm = change.alarm
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description or None,
        "AWSAccountId": place.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(place.configured_at_s),
        "NewStateValue": change.new,
        "NewStateReason": change.reason,
        "StateChangeTime": stamp(change.at_s),
        "Region": place.region_name,
        "AlarmArn": place.alarm_arn(alarm.name),
        "OldStateValue": change.old,
        "OKActions": list(alarm.ok_actions),
        "AlarmActions": list(alarm.alarm_actions),
        "InsufficientDataActions": list(alarm.insufficient_data_actions),
        "Trigger": _trigger(alarm),
    }


def _trigger(alarm: Alarm) -> Mapping[str, Any]:
    rule: dict[str, Any] = {
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing,
        "EvaluateLowSampleCountPercentile": alarm.low_samples if alarm.low_samples != "evaluate" else "",
    }
    if alarm.math is None:
        return _single(alarm.metrics[0]) | rule
    watched = {"Id": alarm.math.id, "Expression": alarm.math.expression, "ReturnData": True}
    if alarm.math.label:
        watched["Label"] = alarm.math.label
    return rule | {"Metrics": [watched, *(_part(one, alarm.period_s) for one in alarm.metrics)]}


def _single(query: StatQuery) -> dict[str, Any]:
    """2.25: the statistic in upper case, the keys of a dimension in lower."""
    if is_percentile(query.stat):
        kind: dict[str, Any] = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": query.stat}
    else:
        kind = {"StatisticType": "Statistic", "Statistic": query.stat.upper()}
    metric = query.metric
    return {
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        **kind,
        "Unit": query.unit,
        "Dimensions": _dimensions(metric),
    }


def _part(query: StatQuery, period_s: int) -> dict[str, Any]:
    metric = query.metric
    named = {"MetricName": metric.name, "Namespace": metric.namespace, "Dimensions": _dimensions(metric)}
    stat = {"Metric": named, "Period": period_s, "Stat": query.stat} | ({"Unit": query.unit} if query.unit else {})
    return {"Id": query.id, "MetricStat": stat, "ReturnData": False}


def _dimensions(metric: MetricId) -> list[dict[str, str]]:
    return [{"value": value, "name": name} for name, value in sorted(metric.dimensions)]


def envelope(
    change: Transition, place: Place, *, topic_arn: str, message_id: str, cert_url: str, sign: Sign | None
) -> Mapping[str, str]:
    """The SNS notification (3.3), signed as version 2 (3.7). Without `sign` the signature is a word that proves none.

    Args:
        message_id: stays the same when the delivery is tried again (3.5).
        cert_url: where the receiver finds the certificate; its path ends in .pem.
    """
    at = datetime.fromtimestamp(change.at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic_arn,
        "Subject": subject(change, place),
        "Message": json.dumps(message(change, place)),
        "Timestamp": at,
        "SignatureVersion": "2",
        "SigningCertURL": cert_url,
    }
    told["Signature"] = "UNSIGNED" if sign is None else sign(string_to_sign(told))
    return told


def string_to_sign(told: Mapping[str, str]) -> bytes:
    """Name LF value LF of the signed members, in byte order (3.6)."""
    return "".join(f"{name}\n{told[name]}\n" for name in _SIGNED if name in told).encode()


def headers(told: Mapping[str, str], *, subscription_arn: str) -> Mapping[str, str]:
    """What SNS sends as HTTP headers (3.1): the body is JSON, and called text."""
    return {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": told["Type"],
        "x-amz-sns-message-id": told["MessageId"],
        "x-amz-sns-topic-arn": told["TopicArn"],
        "x-amz-sns-subscription-arn": subscription_arn,
    }
