"""What alarms are evaluated on, gathered on this machine: what the target has put, and what SQS would tell of queues.

Against real AWS none of this runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.alarms.metrics import MetricId, Metrics, Summary
from harness.errors import HarnessError
from harness.stack.aws import CREDENTIALS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SQS = "AWS/SQS"
_ATTRIBUTES: Mapping[str, str] = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}
AGE = "ApproximateAgeOfOldestMessage"


def put_all(metrics: Metrics, datapoints: Iterable[Mapping[str, Any]]) -> None:
    """The fake CloudWatch's datapoints, as they came."""
    for told in datapoints:
        identity = MetricId.of(told["namespace"], told["name"], told["dimensions"])
        if (given := told["statistics"]) is not None:
            summary = Summary.of_set(
                count=given["SampleCount"], total=given["Sum"], minimum=given["Minimum"], maximum=given["Maximum"]
            )
        else:
            summary = Summary.of_values(told["values"], told["counts"])
        metrics.put(identity, told["at_s"], summary, unit=told["unit"])


class QueueMetrics:
    """What SQS itself publishes about its queues once a minute, from the local queues' own attributes.

    The age of the oldest message is an upper bound, the time since the queue was last seen empty: to look at a message
    is to receive it, which would count against it. So it may page too early, never too late.
    """

    def __init__(self, aws_url: str, names: Sequence[str]) -> None:
        try:
            import boto3  # noqa: PLC0415 -- an extra, and slow to import
        except ImportError:
            raise HarnessError("Looking into SQS needs boto3: install golive[aws].") from None
        self._names = tuple(names)
        self._urls: dict[str, str] = {}
        self._filled_at_s: dict[str, float] = {}
        self._client: SQSClient = boto3.client(
            "sqs",
            endpoint_url=aws_url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def publish(self, metrics: Metrics, *, at_s: float, now_s: float) -> None:
        """Measure now, as the datapoints of the minute that began at `at_s`; a queue that is gone tells nothing."""
        for name in self._names:
            found = self._attributes(name)
            if found is None:
                continue
            depth = sum(found.values())
            if not depth:
                self._filled_at_s.pop(name, None)
            told = {_ATTRIBUTES[key]: float(value) for key, value in found.items()}
            told[AGE] = now_s - self._filled_at_s.setdefault(name, now_s) if depth else 0.0
            for metric, value in told.items():
                metrics.put_value(MetricId.of(SQS, metric, {"QueueName": name}), at_s, value)

    def _attributes(self, name: str) -> Mapping[str, int] | None:
        client = self._client
        try:
            url = self._urls.get(name) or client.get_queue_url(QueueName=name)["QueueUrl"]
        except client.exceptions.QueueDoesNotExist:
            return None
        self._urls[name] = url
        wanted: Any = list(_ATTRIBUTES)
        found: Mapping[Any, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return {key: int(found.get(key, "0")) for key in _ATTRIBUTES}
