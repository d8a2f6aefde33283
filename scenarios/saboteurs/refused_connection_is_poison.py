"""A connection that Meta refuses is taken for a refusal of the event: a minute without network buries what was sold."""

from typing import Any

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind, NoAnswer, Outcome
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-37",)


def patch() -> None:
    """Refused is refused."""

    def make(old: Any) -> Any:
        def judge(reply: Any, *, sent: int) -> Any:
            if isinstance(reply, NoAnswer) and not reply.left:
                bite()
                return Outcome(kind=Kind.POISON, reason="refused")
            return old(reply, sent=sent)

        return judge

    swap(classify, "classify", make)
