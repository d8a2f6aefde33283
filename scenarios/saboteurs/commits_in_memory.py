"""synchronous_commit was switched off for speed: a crash of the database takes back what was answered with 202."""

import os
from typing import Any

from psycopg_pool import ConnectionPool

from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("R-22[stripe-vendor]",)


def patch() -> None:
    """libpq reads it from the environment, whoever connects."""
    os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} -c synchronous_commit=off".strip()

    def make(old: Any) -> Any:
        def getconn(self: Any, timeout: float | None = None) -> Any:
            connection = old(self, timeout)
            if connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
                bite()
            return connection

        return getconn

    swap(ConnectionPool, "getconn", make)
