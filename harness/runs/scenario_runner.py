"""The process that runs scenarios, seen from the process that owns the run.

One pytest process collects the scenarios once. It forks a worker for each order that it is given here; the workers
claim scenarios and report them. `harness.pytest_workers` is the other side.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, NotSeenInTime
from harness.scenario_events import RUN_VARIABLE, CollectedScenario, read
from harness.stack.control import ControlServer, Handler
from harness.stack.processes import Nursery, tail
from harness.waiting import wait_until

#: How long collecting may take on a machine that is busy with everything else.
COLLECT_LIMIT_S = 60.0

#: For so long a question for orders waits for one. Between two, the runner looks after its workers.
_ORDER_WAIT_S = 0.3


#: Suites of the long tier, which `golive run --all` runs: faults that take their time, alarms lived minute by minute.
LONG_SUITES = frozenset({"recovery", "monitoring"})


def scenarios_home() -> Path:
    """The folder of the scenarios, found without importing them."""
    spec = find_spec("scenarios")
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError("The package `scenarios` is not installed.")
    return Path(next(iter(spec.submodule_search_locations)))


def suites() -> tuple[str, ...]:
    """The names of all suites that have scenarios."""
    home = scenarios_home()
    return tuple(sorted(one.name for one in home.iterdir() if one.is_dir() and any(one.glob("test_*.py"))))


def pytest_argv(paths: Sequence[Path], *options: str) -> list[str]:
    """How pytest is started for scenarios: our plugin, and none that happens to be installed."""
    home = scenarios_home()
    return [
        *(sys.executable, "-P", "-m", "pytest", "-c", str(home / "pytest.ini"), "--rootdir", str(home)),
        *("--assert=plain", "-q", "--no-header", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:faulthandler"),
        *("-p", "harness.pytest_plugin", *options, *map(str, paths or [home])),
    ]


def pytest_env() -> dict[str, str]:
    """The environment that it is started in."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class ScenarioRunner:
    """Collects scenarios, and forks a worker for each order."""

    def __init__(self, nursery: Nursery, *, socket: Path, log: Path, argv: Sequence[str]) -> None:
        """Start collecting.

        Args:
            nursery: Starts and ends the process.
            socket: Where the process reaches us.
            log: What pytest prints.
            argv: How pytest is started.
        """
        self._collected: tuple[CollectedScenario, ...] | None = None
        self._orders: deque[Mapping[str, str]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._handlers: dict[str, Handler] = {}
        operations: dict[str, Handler] = {
            "collected": self._has_collected,
            "next_worker": lambda _: self._next_order(),
            **{name: self._forward(name) for name in ("worker_ended", "claim", "started", "finished")},
        }
        self._server = ControlServer(socket, operations)
        env = {**pytest_env(), RUN_VARIABLE: str(socket)}
        self._child = nursery.start("scenario runner", argv, owner="harness", env=env, log=log)
        self._child.expected = True  # its end is looked at here, with the end of its log

    def collected(self, aborted: threading.Event) -> tuple[CollectedScenario, ...]:
        """All scenarios that there are for what it was started with; waits until it has collected them.

        Raises:
            HarnessError: it could not.
        """
        try:
            wait_until(
                lambda: self._collected is not None or not self._child.running() or aborted.is_set(),
                bool,
                goal="the scenarios are collected",
                within_s=COLLECT_LIMIT_S,
            )
        except NotSeenInTime as error:
            raise HarnessError(f"{error} {self.last_words()}") from None
        if self._collected is None and not aborted.is_set():
            raise HarnessError(f"the scenarios cannot be collected. {self.last_words()}")
        return self._collected or ()

    def listen(self, handlers: Mapping[str, Handler]) -> None:
        """From now on these answer the workers: `worker_ended`, `claim`, `started`, `finished`."""
        self._handlers = dict(handlers)

    def fork(self, worker: str, *, info: Path, log: Path) -> None:
        """Order a worker for the stack that is described in that file."""
        with self._changed:
            self._orders.append({"worker": worker, "info": str(info), "log": str(log)})
            self._changed.notify_all()

    def kill_workers(self) -> tuple[str, ...]:
        """Order the end of every worker at once; the runner itself lives on, and reports them as ended.

        Returns:
            Those that were ordered and not forked yet: they never will be, and nobody reports their end.
        """
        with self._changed:
            never = tuple(order["worker"] for order in self._orders if "worker" in order)
            self._orders.clear()
            self._orders.append({"kill": "workers"})
            self._changed.notify_all()
        return never

    def running(self) -> bool:
        """Whether the process lives."""
        return self._child.running()

    def last_words(self) -> str:
        """The end of its log, for an error."""
        return f"The end of {self._child.log}:\n{tail(self._child.log)}"

    def close(self) -> None:
        """Let it end; safe to call twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._child.ensure_stopped()
        self._server.close()

    def _has_collected(self, request: dict[str, Any]) -> None:
        self._collected = tuple(read(CollectedScenario, one) for one in request["scenarios"])

    def _next_order(self) -> Mapping[str, str] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._orders or self._closing, timeout=_ORDER_WAIT_S)
            if self._orders:
                return self._orders.popleft()
            return None if self._closing else {}

    def _forward(self, name: str) -> Callable[[dict[str, Any]], Any]:
        def forward(request: dict[str, Any]) -> Any:
            return self._handlers[name](request)  # those that listen now, not those when it was started

        return forward
