"""The web process's pool of connections."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

Connection = psycopg.Connection[tuple[Any, ...]]

#: A vendor waits five seconds or so; who cannot have a connection by then is better told to come again.
_WAIT_S = 3.0


class Database:
    """Connections in autocommit mode: a transaction is opened in so many words.

    `prepare`: whether statements that are used often are prepared, which a transaction-mode pooler does not bear.
    `wait_s`: for how long a webhook waits for a connection.
    """

    def __init__(self, url: str, *, size: int, prepare: bool = True, wait_s: float = _WAIT_S) -> None:
        self._size = size
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=min(2, size),
            max_size=size,
            timeout=wait_s,
            # The pool's pauses between its own attempts double for five minutes: after a long outage the database would
            # be well for minutes before anybody noticed. Given up this early, the next webhook makes it try at once.
            reconnect_timeout=wait_s,
            kwargs={"autocommit": True} if prepare else {"autocommit": True, "prepare_threshold": None},
            open=True,
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that is alive. Raises PoolTimeout while the database is away."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _take(self) -> Connection:
        """The first that is alive. The pool's own `check` asks the server before each use (a third of all that a
        webhook says to the database), and waits a second after each dead one: a restart cost two webhooks then."""
        for _ in range(self._size + 1):
            connection = self._pool.getconn()
            if _is_alive(connection):
                return connection
            connection.close()
            self._pool.putconn(connection)  # which opens another
        raise PoolTimeout("every connection was dead")

    def close(self) -> None:
        """Close them all."""
        self._pool.close()


def _is_alive(connection: Connection) -> bool:
    """A server that went away has closed its end, and then there is something to read: only then it is asked."""
    ear = select.poll()
    ear.register(connection.fileno(), select.POLLIN)
    if not ear.poll(0):
        return True
    try:
        connection.execute("")
    except psycopg.OperationalError:
        return False
    return True
