"""Every error is retried, also the ones that Meta will give for ever: one bad event is sent again and again."""

from reference_impl.dispatch import classify
from reference_impl.dispatch.classify import Kind
from scenarios.saboteurs._patching import biting, entry, swap

CAUGHT_BY = ("D-06",)


def patch() -> None:
    """Code 100 may be over tomorrow."""
    entry(classify._TABLE, (100, None), lambda _: Kind.RETRY, where="classify._TABLE")
    swap(classify, "_refused", biting)
