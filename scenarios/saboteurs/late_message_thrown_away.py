"""A message that is a second old is taken for one that was done already: SQS was slow, and the sale is gone."""

import time
from typing import Any

from reference_impl.dispatch.queue import Message, Queue
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-44",)

_OLD_S = 1.5


def patch() -> None:
    """By SQS's own time stamp."""

    def make(_: Any) -> Any:
        def receive(self: Any, *, wait_s: int, visibility_s: int, most: int = 10) -> list[Message]:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_s,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            found: dict[bool, list[Message]] = {True: [], False: []}
            for one in answer.get("Messages", []):
                age_s = time.time() - int(one["Attributes"]["SentTimestamp"]) / 1000
                found[age_s > _OLD_S].append(Message(one["Body"], one["ReceiptHandle"]))
            if found[True]:
                bite()
                self.delete(found[True])
            return found[False]

        return receive

    swap(Queue, "receive", make)
