"""Instances of the target with a clock of their own: started when the first scenario wants one, renewed when spoilt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.stack import monitoring
from harness.stack.control import Handler
from harness.stack.processes import Death
from harness.stack.stack import Stack
from harness.stack.travelling import TravellingStack, tied_down, why_not

#: Instances that take a spoilt one's place, of each kind: each is a whole target beside the others.
MOST_RENEWALS = 2

KINDS: Mapping[str, type[TravellingStack]] = {"travelling": TravellingStack, "monitored": monitoring.MonitoredStack}


class ClockInstances:
    """The instances of one run, by name; `travelling 2` is one that was spoilt and replaced."""

    def __init__(
        self, stack: Stack, *, logs: Path, on_death: Callable[[Death], None], operations: Mapping[str, Handler]
    ) -> None:
        """Start nothing yet.

        Args:
            stack: The first stack; the instances are of the same target, seed and clock origin.
            logs: The folder of the run's logs.
            on_death: Called when a process of an instance dies.
            operations: What every instance answers beside its own operations.
        """
        self._stack = stack
        self._logs = logs
        self._on_death = on_death
        self._operations = operations
        self._instances: dict[str, TravellingStack] = {}
        self._failed: dict[str, Exception] = {}
        self._lock = threading.Lock()
        self.timings: dict[str, float] = {}

    def stacks(self) -> list[TravellingStack]:
        """All that were started, the spoilt ones too."""
        return list(self._instances.values())

    def info(self, name: str) -> dict[str, str]:
        """Where the instance is described, or why there can be none.

        Returns:
            `info`: the path of its description; or `declared`: why the target file leaves no room for it, and
            `not_observed`: why there cannot be one on this machine, with this engine.

        Raises:
            Exception: it did not start, now or when it was asked for first.
        """
        wanted = self._stack.wanted
        declared = tied_down(wanted) or (monitoring.why_not(wanted) if name == "monitored" else None)
        reason = self._stack.engine.stays or why_not(wanted)
        if declared or reason:
            return {"declared": declared or "", "not_observed": reason or ""}
        with self._lock:
            if failed := self._failed.get(name):
                raise failed
            if name not in self._instances:
                self._start(name)
            return {"info": str(self._instances[name].info_path)}

    def _start(self, name: str) -> None:
        began = time.monotonic()
        number = len(self._replaced(name)) + 1
        logs = self._logs / (name if number == 1 else f"{name}-{number}")
        made = KINDS[name](
            self._stack.wanted,
            clock=self._stack.clock,
            seed=self._stack.seed,
            logs=logs,
            on_death=self._on_death,
        )
        try:
            made.start(operations=self._operations)
        except Exception as error:
            self._failed[name] = error
            made.stop()  # there is nothing on it to look into
            raise
        self._instances[name] = made
        phase = f"{name} instance up"
        self.timings[phase] = self.timings.get(phase, 0.0) + time.monotonic() - began

    def replace(self, name: str) -> None:
        """A red scenario may have left anything behind: the next scenario is given a new instance.

        The old one goes on as it was, for the final look and the privacy scan.
        """
        with self._lock:
            number = len(self._replaced(name)) + 1
            if name in self._instances and number <= MOST_RENEWALS:
                self._instances[f"{name} {number}"] = self._instances.pop(name)

    def _replaced(self, name: str) -> list[str]:
        return [one for one in self._instances if one.startswith(f"{name} ")]

    def let_go(self) -> None:
        """Stop all of them."""
        for instance in self._instances.values():
            instance.stop()
        self._instances.clear()
