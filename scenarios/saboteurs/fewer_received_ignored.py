"""`events_received` is logged and not compared: of three events Meta took two, and all three are delivered."""

from typing import Any

from reference_impl.dispatch import classify
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-03[fewer_received]",)


def patch() -> None:
    """Whatever Meta says it has."""

    def make(old: Any) -> Any:
        def accepted(reply: Any, document: Any, *, sent: int) -> Any:
            received = document.get("events_received")
            if isinstance(received, int) and received != sent:
                bite()
                return old(reply, {**document, "events_received": sent}, sent=sent)
            return old(reply, document, sent=sent)

        return accepted

    swap(classify, "_accepted", make)
