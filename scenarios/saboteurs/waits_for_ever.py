"""The HTTP client has no time-out: a Meta that says nothing holds a thread until the process is restarted."""

from typing import Any

from reference_impl.dispatch.capi import CapiClient
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-14[hang-lasts0]",)


def patch() -> None:
    """Five minutes are for ever."""

    def make(old: Any) -> Any:
        def init(self: Any, graph_url: str, **how: Any) -> None:
            bite()
            old(self, graph_url, **{**how, "timeout_s": 300.0})

        return init

    swap(CapiClient, "__init__", make)
