"""The web process's pool of connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[tuple[Any, ...]]

#: A vendor waits five seconds or so; who cannot have a connection by then is better told to come again.
_WAIT_S = 3.0


class Database:
    """Connections in autocommit mode: a transaction is opened in so many words."""

    def __init__(self, url: str, *, size: int) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=min(2, size),
            max_size=size,
            timeout=_WAIT_S,
            kwargs={"autocommit": True},
            check=ConnectionPool.check_connection,
            open=True,
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that is alive. Raises PoolTimeout while the database is away."""
        with self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close them all."""
        self._pool.close()
