"""The webhook is answered with 202 and written by a background thread: a crash in between loses a sale for ever."""

import os
import threading
from typing import Any

import psycopg

from reference_impl.db import conversions
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("G-23[hotmart-vendor]", "G-23[stripe-vendor]")


def patch() -> None:
    """Write it in a moment."""

    def make(old: Any) -> Any:
        def later(arrived: Any, draft: Any) -> None:
            threading.Event().wait(0.5)
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                old(connection, arrived, draft)

        def record_purchase(_: Any, arrived: Any, draft: Any) -> str:
            bite()
            threading.Thread(target=later, args=(arrived, draft), daemon=True).start()
            return "accepted"

        return record_purchase

    swap(conversions, "record_purchase", make)
