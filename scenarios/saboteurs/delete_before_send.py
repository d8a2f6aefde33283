"""The consumer deletes a message as soon as it has it: who dies in mid-work takes the sale along."""

from typing import Any

from reference_impl.dispatch.queue import Queue
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-01",)


def patch() -> None:
    """Received is done."""

    def make(old: Any) -> Any:
        def receive(self: Any, **how: Any) -> Any:
            messages = old(self, **how)
            if messages:
                bite()
                self.delete(messages)
            return messages

        return receive

    swap(Queue, "receive", make)
