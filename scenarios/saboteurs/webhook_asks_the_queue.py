"""Each webhook first sees whether SQS is there, so that nothing is accepted in vain: an hour without it is unsold."""

from collections.abc import Callable
from typing import Any

from reference_impl.web import health
from reference_impl.web.errors import Refused
from reference_impl.web.intake import Intake
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-40",)

_asked: list[Callable[[], str | None]] = []


def patch() -> None:
    """As readiness does."""

    def overheard(old: Any) -> Any:
        def blueprint(**how: Any) -> Any:
            _asked.append(how["queue_complaint"])
            return old(**how)

        return blueprint

    def make(old: Any) -> Any:
        def take(self: Any, *args: Any, **how: Any) -> Any:
            bite()
            if _asked[-1]():
                raise Refused(503, "queue_away", "Try again in a moment.")
            return old(self, *args, **how)

        return take

    swap(health, "blueprint", overheard)
    swap(Intake, "take", make)
