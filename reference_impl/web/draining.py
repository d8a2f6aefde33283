"""A web process that is asked to end fails nobody: it goes on answering until the load balancer has noticed.

    SIGTERM ──▶ /health/ready answers 503, every answer says `Connection: close`   for WEB_DRAIN_S
            ──▶ granian stops accepting and finishes what is in flight
            ──▶ the process ends

A balancer learns of an end by asking, and a kept-alive connection may carry a request in the very moment in which
it is closed: who stops at once cuts both off (seen: see tests/change). SIGINT, which is a person at a keyboard,
ends at once.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable

from flask import Flask, Response

log = logging.getLogger(__name__)


class Drain:
    """Whether this process is on its way out."""

    def __init__(self, *, for_s: float) -> None:
        self._for_s = for_s
        self._begun = threading.Event()
        self._over = threading.Event()

    def __call__(self) -> bool:
        """Whether the end has been asked for."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on say that no more should be sent here."""
        self._begun.set()

    def on_sigterm(self) -> None:
        """Take SIGTERM away from the server, and hand it over when the drain is done.

        To be called in the main thread before any other is started, because threads inherit what is blocked. The server
        installs its handler afterwards; blocked, the signal never reaches it, and we call it ourselves. That the signal
        comes twice (to the group, and from granian's main process) changes nothing.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self._wait, daemon=True, name="drain").start()

    def _wait(self) -> None:
        signal.sigwait({signal.SIGTERM})
        self.begin()
        log.info("web: draining for %g s", self._for_s)
        self._over.wait(self._for_s)
        stop = signal.getsignal(signal.SIGTERM)
        if callable(stop):
            stop(signal.SIGTERM, None)


def announce(app: Flask, draining: Callable[[], bool]) -> None:
    """Let every answer of a process on its way out say that it is the last one on its connection."""

    @app.after_request
    def _last_on_this_connection(answer: Response) -> Response:
        if draining():
            answer.headers["Connection"] = "close"
        return answer
