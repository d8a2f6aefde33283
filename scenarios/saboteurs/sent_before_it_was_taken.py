"""The relay marks its rows as sent and then sends them: what SQS throttles away is looked for by nobody."""

from typing import Any

from reference_impl.dispatch import outbox
from reference_impl.dispatch.relay import Relay
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-47",)


def patch() -> None:
    """First the mark."""

    def make(old: Any) -> Any:
        def send(self: Any, queue: Any, entries: Any) -> None:
            if entries:
                bite()
                outbox.settle(self.session.connection(), sent=entries, refused=[], retry_s=self.retry_s)
            old(self, queue, entries)

        return send

    swap(Relay, "_send", make)
