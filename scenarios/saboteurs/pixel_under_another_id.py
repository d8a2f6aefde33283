"""The server makes an id of its own for a page event that the browser's Pixel has told: Meta counts both."""

import dataclasses
import uuid
from typing import Any

from reference_impl.db import page_events
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("T-09[browser-pageview]", "T-10[pageview-PageView]")


def patch() -> None:
    """Ours is better."""

    def make(old: Any) -> Any:
        def add(connection: Any, event: Any) -> None:
            bite()
            old(connection, dataclasses.replace(event, event_id=uuid.uuid4().hex))

        return add

    swap(page_events, "add", make)
