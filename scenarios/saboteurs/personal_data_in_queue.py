"""The message carries the buyer's hashes along, to spare the consumer a query; the queue keeps them for days."""

import os
from typing import Any

import psycopg

from reference_impl.dispatch.queue import Queue
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-03",)


def patch() -> None:
    """Give each message its conversion's hashes as an attribute."""

    def make(old: Any) -> Any:
        def send(self: Any, conversion_ids: Any, *, reasons: Any = None) -> Any:
            bite()
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                found = connection.execute(
                    "SELECT id::text, user_data::text FROM conversions WHERE id::text = ANY(%s)", [list(conversion_ids)]
                ).fetchall()
            return old(self, conversion_ids, reasons={**dict(found), **(reasons or {})})

        return send

    swap(Queue, "send", make)
