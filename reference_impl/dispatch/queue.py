"""One SQS queue, in batches of ten, with the failures that hide inside a 200.

Source:
    facts/aws_pagerduty.md section 5 (batch limits, partial failures, receipt handles).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

BATCH = 10
"""Entries in one call of SQS's."""


@dataclass(frozen=True, slots=True)
class Message:
    """A conversion's id, and what deletes this delivery of it."""

    conversion_id: str
    receipt: str


class Queue:
    """Sends, receives and deletes; whatever botocore raises when SQS is away, it raises too.

    The URL is asked for at the first use: a process may start before its queue can be reached.
    """

    def __init__(self, client: SQSClient, find_url: Callable[[], str]) -> None:
        self._client = client
        self._find_url = find_url

    @cached_property
    def _url(self) -> str:
        return self._find_url()

    def send(self, conversion_ids: Sequence[str], *, reasons: Mapping[str, str] | None = None) -> set[str]:
        """Send one message for each id; return the ids that SQS did not take. `reasons` become an attribute."""
        failed: set[str] = set()
        for start in range(0, len(conversion_ids), BATCH):
            chunk = conversion_ids[start : start + BATCH]
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": one,
                        "MessageAttributes": _attributes((reasons or {}).get(one)),
                    }
                    for number, one in enumerate(chunk)
                ],
            )
            # Taken is only what is listed as taken: an entry that stands in neither list was not.
            taken = {chunk[int(entry["Id"])] for entry in answer.get("Successful", [])}
            failed |= set(chunk) - taken
        return failed

    def receive(self, *, wait_s: int, visibility_s: int, most: int = BATCH) -> list[Message]:
        """Up to ten messages, after waiting at most `wait_s` (0 to 20) for the first."""
        answer = self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=most, WaitTimeSeconds=wait_s, VisibilityTimeout=visibility_s
        )
        return [Message(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages", [])]

    def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Delete these deliveries; return those that SQS did not delete, which it will deliver again."""
        failed: list[Message] = []
        for start in range(0, len(messages), BATCH):
            chunk = messages[start : start + BATCH]
            answer = self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(chunk)],
            )
            deleted = {int(entry["Id"]) for entry in answer.get("Successful", [])}
            failed += [one for number, one in enumerate(chunk) if number not in deleted]
        return failed

    def hidden(self) -> int:
        """Messages that somebody has received and not deleted, and that will be seen again: SQS's own approximation."""
        found = self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
        )
        return int(found["Attributes"]["ApproximateNumberOfMessagesNotVisible"])

    def waiting(self) -> int:
        """Messages that nobody has received yet: SQS's own approximation."""
        found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])


def _attributes(reason: str | None) -> dict[str, MessageAttributeValueTypeDef]:
    """The reason as SQS wants it, for whoever looks into the dead letters; never personal data."""
    return {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
