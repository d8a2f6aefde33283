"""Connections that somebody takes from the target's database and never gives back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from harness.errors import HarnessError

_ROOM = """
SELECT current_setting('max_connections')::int, count(*)::int
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


@contextmanager
def taken(database_url: str, *, percent: float, name: str) -> Iterator[int]:
    """Idle connections under that application's name, until so many per cent of the server's are taken; how many.

    Raises:
        HarnessError: the server cannot be reached, or has not as many to give.
    """
    with ExitStack() as open_ones:
        try:
            first = open_ones.enter_context(psycopg.connect(database_url, autocommit=True, application_name=name))
            row = first.execute(_ROOM).fetchone()
            most, used = row if row else (0, 0)
            wanted = max(0, round(most * percent / 100) - used)
            for _ in range(wanted):
                connection = psycopg.connect(database_url, autocommit=True, application_name=name)
                open_ones.callback(connection.close)
        except psycopg.Error as error:
            raise HarnessError(f"the database's connections cannot be taken: {type(error).__name__}") from None
        yield wanted + 1
