"""How a process is asked to end: once, from a signal, seen by every wait in it."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """An Event that `select` understands too, so that a wait on a socket ends with the process."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reader, self._writer = socket.socketpair()
        # `requested` may be set from a signal handler: the write must never block.
        self._writer.setblocking(False)

    def request(self) -> None:
        """Ask for the end; again is no error."""
        self._event.set()
        with contextlib.suppress(OSError):  # full: then it is readable already; closed: then all is over
            self._writer.send(b"!")

    @property
    def requested(self) -> bool:
        """Whether someone has asked."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the request, at most so long; whether it has come."""
        return self._event.wait(timeout_s)

    def wait_readable(self, fileno: int, timeout_s: float) -> bool:
        """Wait until that descriptor is readable (True), or for the request or the limit (False)."""
        ready, _, _ = select.select([fileno, self._reader.fileno()], [], [], max(0.0, timeout_s))
        return fileno in ready

    def close(self) -> None:
        """Give the descriptors back."""
        self._reader.close()
        self._writer.close()


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A Stop that SIGTERM and SIGINT request; the main thread's own handlers are back afterwards."""
    stop = Stop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.request()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
