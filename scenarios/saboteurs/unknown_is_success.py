"""No answer is no error: what was cut off on its way to Meta is written down as delivered."""

from typing import Any

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind, Outcome
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-03[reset]",)


def patch() -> None:
    """Silence is consent."""

    def make(old: Any) -> Any:
        def judge(reply: Any, *, sent: int) -> Any:
            found = old(reply, sent=sent)
            if found.kind is not Kind.UNKNOWN:
                return found
            bite()
            return Outcome(kind=Kind.SENT, reason="no complaint", status=200)

        return judge

    swap(classify, "classify", make)
