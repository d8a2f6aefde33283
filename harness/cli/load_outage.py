"""Meta goes away in the middle of a load run and comes back: every call is cut before anything is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.probes.meta import MetaProbe


class MetaOutage:
    """Takes Meta away from all pixels for a while, in a thread of its own: the load does not wait for it."""

    def __init__(
        self, url: str, pixels: Sequence[str], *, from_s: float, until_s: float, seed: int, abort: threading.Event
    ) -> None:
        self._probes = [MetaProbe(url, one) for one in pixels]
        self._planned_s = (from_s, until_s)
        self._seed = seed
        self._abort = abort
        self._thread = threading.Thread(target=self._run, name="meta outage", daemon=True)
        self._began = 0.0
        self._error: HarnessError | None = None
        self.from_s = 0.0
        """When it was gone for everybody, in seconds from the start; 0: it never was."""
        self.until_s = 0.0

    def start(self) -> None:
        """The run begins now."""
        self._began = time.monotonic()
        self._thread.start()

    def _run(self) -> None:
        try:
            if self._wait_until(self._planned_s[0]):
                for one in self._probes:
                    one.arm("reset", strikes=None, probability=1.0, seed=self._seed)
                self.from_s = time.monotonic() - self._began
                self._wait_until(self._planned_s[1])
                for one in self._probes:
                    one.disarm()
                self.until_s = time.monotonic() - self._began
        except HarnessError as error:
            self._error = error

    def _wait_until(self, since_s: float) -> bool:
        """Whether that moment came; False where the run was given up before."""
        return not self._abort.wait(max(0.0, since_s - (time.monotonic() - self._began)))

    def finish(self) -> tuple[float, float] | None:
        """Its real beginning and end; None where the run ended before it.

        Raises:
            HarnessError: it could not be put in place or taken away.
        """
        self._thread.join(timeout=60)
        if self._error is not None:
            raise HarnessError(f"the outage of the fake Meta could not be played: {self._error}")
        return (self.from_s, self.until_s) if self.until_s else None
