"""Any answer with status 200 is a success, whatever error stands in its body: the official SDK does it, too."""

from typing import Any

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Answer, Kind, Outcome
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-03[truncated_json]", "D-03[fewer_received]")


def patch() -> None:
    """The body is not read."""

    def make(old: Any) -> Any:
        def judge(reply: Any, *, sent: int) -> Any:
            if not isinstance(reply, Answer) or reply.status != 200:
                return old(reply, sent=sent)
            if old(reply, sent=sent).kind is not Kind.SENT:
                bite()
            return Outcome(kind=Kind.SENT, reason="HTTP 200", status=200)

        return judge

    swap(classify, "classify", make)
