"""The consumer was copied from the relay, and its heart beats under the relay's name."""

from typing import Any

from reference_impl import bootstrap
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("W-05",)


def patch() -> None:
    """One name for two processes."""

    def make(published: Any) -> Any:
        def renamed(settings: Any, process: str, *args: Any, **kwargs: Any) -> Any:
            if process == "consumer":
                bite()
            return published(settings, "relay" if process == "consumer" else process, *args, **kwargs)

        return renamed

    swap(bootstrap, "published", make)
