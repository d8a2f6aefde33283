"""Wakes the relays, after the commit and beside it.

A NOTIFY inside the webhook's transaction would be simpler, and would cost most of the throughput: PostgreSQL holds one
lock over all notifying commits until each is on the disk, so that they no longer share a flush. Here one thread says it
for all webhooks that were committed meanwhile. A ring that is lost with its process is made good by the relay's own
look, a second later at most.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg
import psycopg_pool

log = logging.getLogger(__name__)


_REST_S = 0.1
"""Between two rings, of which the first is at once. Under load a ring for each webhook would cost a tenth of the web
process, and one every 20 ms a twentieth (measured)."""


class Bell:
    """Rings at once, and once for all who pull while it rings or rests."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """`ring` tells the relays; what the database raises there is logged and forgotten."""
        self._ring = ring
        self._woken, self._end = threading.Event(), threading.Event()
        self._pulled = False
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Say that the outbox holds something new; returns at once."""
        self._pulled = True
        self._woken.set()

    def close(self) -> None:
        """Ring for the last time, if somebody pulled, and end."""
        self._end.set()
        self._woken.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._end.is_set():
            self._woken.wait()
            self._woken.clear()
            if self._pulled:
                self._pulled = False  # before the ring: who pulls from now on may have committed too late for it
                self._ring_once()
                self._end.wait(_REST_S)

    def _ring_once(self) -> None:
        try:
            self._ring()
        except (psycopg.OperationalError, psycopg_pool.PoolTimeout) as error:
            log.warning("the relays could not be woken (%s); they look by themselves", type(error).__name__)
