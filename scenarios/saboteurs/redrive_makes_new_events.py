"""A redrive gives each letter a new event id, "so that Meta takes it": what Meta had counted is counted again."""

from typing import Any

from reference_impl.dispatch import redrive
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("D-33[stripe-vendor]",)

_NEW = "UPDATE conversions SET event_id = 'again.' || gen_random_uuid() WHERE id = ANY(%s)"


def patch() -> None:
    """A fresh start for every letter."""

    def make(old: Any) -> Any:
        def put_back(connection: Any, ids: Any, *, accept_duplicates: bool) -> Any:
            if ids:
                bite()
                connection.execute(_NEW, [list(ids)])
            return old(connection, ids, accept_duplicates=accept_duplicates)

        return put_back

    swap(redrive, "_put_back", make)
