"""What stands in the target's SQS queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.stack.aws import CREDENTIALS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


class QueueProbe:
    """One queue, by name, at one endpoint."""

    def __init__(self, aws_url: str, name: str) -> None:
        self._aws_url = aws_url
        self.name = name
        self._client: SQSClient | None = None
        self._url = ""

    def _sqs(self) -> SQSClient:
        if self._client is None:
            try:
                import boto3  # noqa: PLC0415 -- an extra, and slow to import
            except ImportError:
                raise HarnessError("Looking into SQS needs boto3: install golive[aws].") from None
            self._client = boto3.client(
                "sqs",
                endpoint_url=self._aws_url,
                region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
            self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._client

    def depth(self) -> int:
        """Messages that wait, are in flight, or are delayed; approximate, as SQS itself says."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        client = self._sqs()
        found: dict[Any, str] = client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(found.get(name, "0")) for name in names)

    def purge(self) -> None:
        """Delete every message, as an operator's slip does. (Real SQS takes up to a minute, and one purge in it.)"""
        self._sqs().purge_queue(QueueUrl=self._url)

    def bodies(self, *, most: int = 10) -> list[str]:
        """A look at message bodies, each with its attributes; the messages become visible again at once."""
        answer = self._sqs().receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=0,
            WaitTimeSeconds=0,
            MessageAttributeNames=["All"],
            AttributeNames=["MessageGroupId", "MessageDeduplicationId", "AWSTraceHeader"],
        )
        return ["\n".join((message["Body"], *_attributes(message))) for message in answer.get("Messages", [])]

    def everything(self, *, hidden_s: int = 60, most: int = 50_000) -> list[str]:
        """All bodies with their attributes; hides them for so long, so only when nobody needs the queue any more."""
        found: list[str] = []
        while len(found) < most:
            answer = self._sqs().receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=hidden_s,
                WaitTimeSeconds=0,  # whatever the queue itself says
                MessageAttributeNames=["All"],
                AttributeNames=["MessageGroupId", "MessageDeduplicationId", "AWSTraceHeader"],
            )
            if not (messages := answer.get("Messages", [])):
                break
            found += ["\n".join((message["Body"], *_attributes(message))) for message in messages]
        return found


def _attributes(message: MessageTypeDef) -> list[str]:
    found = [f"{name}: {value}" for name, value in message.get("Attributes", {}).items()]
    for name, value in message.get("MessageAttributes", {}).items():
        data = value.get("BinaryValue") or b""
        found.append(f"{name}: {value.get('StringValue', '')}{data.decode(errors='backslashreplace')}")
    return found
