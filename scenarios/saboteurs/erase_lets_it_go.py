"""An erasure takes the person out of the clicks, and what was waiting to be sent is sent all the same."""

from typing import Any

from reference_impl.db import people
from scenarios.saboteurs._patching import rewrite, swap

CAUGHT_BY = ("P-06",)


def patch() -> None:
    """Nothing is stopped, and the hashes go to Meta with it."""

    def none(_: list[str]) -> list[Any]:
        return []

    swap(people, "_STOPPED", none)
    rewrite(people, "_ERASE", "SET user_data = '{}', client_sealed", "SET client_sealed", used_by="erase")
