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
        def later(sales: Any) -> None:
            threading.Event().wait(0.5)
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                old(connection, sales)

        def record_purchases(_: Any, sales: Any) -> list[str]:
            bite()
            threading.Thread(target=later, args=(sales,), daemon=True).start()
            return ["accepted"] * len(sales)

        return record_purchases

    swap(conversions, "record_purchases", make)
