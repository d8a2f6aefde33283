"""The queues: purchases, page events, and the dead letters that SQS moves there itself after too many crashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reference_impl.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_FOURTEEN_DAYS_S = 14 * 86_400
"""The longest that SQS keeps a message."""


def create(client: SQSClient, settings: Settings) -> None:
    """Create the queues, or bring their attributes up to date; again is no error."""
    keep = str(_FOURTEEN_DAYS_S)
    dead = client.create_queue(QueueName=settings.dlq_name)["QueueUrl"]
    client.set_queue_attributes(QueueUrl=dead, Attributes={"MessageRetentionPeriod": keep})
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(settings.max_receive_count)})
    for name in (settings.queue_name, settings.page_queue_name):
        queue = client.create_queue(QueueName=name)["QueueUrl"]
        client.set_queue_attributes(
            QueueUrl=queue,
            Attributes={
                "MessageRetentionPeriod": keep,
                "VisibilityTimeout": str(settings.visibility_s),
                "RedrivePolicy": policy,
            },
        )
