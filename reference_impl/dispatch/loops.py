"""What every process's loop has in common: one connection, another try after a failure, an end when asked."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import psycopg

from reference_impl.dispatch.backoff import full_jitter_s
from reference_impl.dispatch.stopping import Stop
from reference_impl.logs import place

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[[], Connection]
"""Opens a connection in autocommit mode, so that transactions are opened in so many words."""

_BACKOFF_BASE_S = 0.2
_BACKOFF_MAX_S = 5.0


class Session:
    """A loop's own database connection, opened when first needed and again after it was lost."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """The open connection. Raises psycopg.OperationalError while the database is away."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def alive(self) -> Connection:
        """A connection that has just answered: one that the database has let go meanwhile is replaced.

        Raises psycopg.OperationalError while the database is away.
        """
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self.close()
        return self.connection()

    def close(self) -> None:
        """Let it go; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run_until_stopped(
    name: str,
    step: Callable[[], None],
    *,
    stop: Stop,
    session: Session,
    rng: random.Random,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Call `step` again and again until asked to end, and `beat` after each that succeeded. A step that fails is
    logged, and tried again after a wait.

    Nothing is lost by that: what a step had in hand is leased, and comes back when the lease is over.
    """
    failures = 0
    while not stop.requested:
        try:
            step()
        except Exception as error:  # noqa: BLE001 -- the database or SQS is away, or one row is beyond us: neither may end the process
            failures += 1
            wait_s = full_jitter_s(failures, base_s=_BACKOFF_BASE_S, max_s=_BACKOFF_MAX_S, rng=rng)
            # The type and place only: a message could quote a row or an address.
            log.warning("%s failed: %s; again in %.1f s", name, place(error), wait_s)
            session.close()
            stop.wait(wait_s)
        else:
            failures = 0
            beat()
    session.close()
