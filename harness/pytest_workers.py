"""Scenario workers: a pytest process that has collected the scenarios once forks one wherever one is wanted.

The process that owns the run says when, and on which stack (`harness.runs.scenario_runner`). A forked worker starts in
milliseconds, with everything imported and collected. It asks for one scenario after the other, runs it, reports it, and
ends when there is none left for it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from harness.scenario_events import ScenarioDetails, ScenarioFinished, read, to_json
from harness.scenario_items import scenario_key
from harness.stack.control import Control
from harness.testing import StackInfo

#: The stack that the scenarios of this process run on; None in the process that only collects them.
STACK = pytest.StashKey[StackInfo | None]()

#: `user_properties` of pytest's reports: what the scenario has left behind, and whose fault it is that it is red.
DETAILS = "golive-details"
RED = "golive-red"

_CRASHED = 3


class Reporter:
    """Reports each scenario to the owner of the run as it begins and ends; a pytest plugin of one worker."""

    def __init__(self, run: Control, worker: str) -> None:
        self._run = run
        self._worker = worker
        self._reports: list[pytest.TestReport] = []

    def started(self, key: str) -> None:
        """A scenario begins."""
        self._reports.clear()
        self._run.call("started", worker=self._worker, key=key)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what pytest says of a phase: set-up, call or teardown."""
        self._reports.append(report)

    def finished(self, key: str) -> None:
        """A scenario has ended."""
        result = summary(key, self._reports)
        self._run.call("finished", worker=self._worker, result=to_json(result))


def summary(key: str, reports: list[pytest.TestReport]) -> ScenarioFinished:
    """One result from the phases of a scenario; the first phase that is red decides."""
    details = ScenarioDetails()
    for report in reports:
        found = dict(report.user_properties).get(DETAILS)
        if found is not None:
            details = read(ScenarioDetails, found)
    outcome: dict[str, str] = {"outcome": "passed"} if reports else {"outcome": "error", "blame": "harness"}
    for report in reports:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            outcome = {"outcome": "skipped", "message": reason.removeprefix("Skipped: ")}
        elif report.failed:
            properties: dict[str, Any] = dict(report.user_properties)
            blame, sentence = properties.get(RED) or ("harness", report.longreprtext)
            outcome = {"outcome": "failed" if blame == "target" else "error", "blame": blame, "message": sentence}
        if report.outcome != "passed":
            break
    if details.harness_error:
        message = f"{outcome.get('message', '')} {details.harness_error}".strip()
        outcome = {"outcome": "error", "blame": "harness", "message": message}
    duration_s = round(sum(one.duration for one in reports), 3)
    return read(ScenarioFinished, {**outcome, "key": key, "duration_s": duration_s, "details": to_json(details)})


def serve(session: pytest.Session, run: Control) -> None:
    """Fork the workers that the owner of the run asks for, until it wants no more and all have ended."""
    workers: dict[int, str] = {}
    while (wanted := run.call("next_worker")) is not None:
        if "worker" in wanted:
            workers[_fork(session, run, wanted)] = wanted["worker"]
        if "kill" in wanted:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        _reap(workers, run, os.WNOHANG)
    _reap(workers, run, 0)


def _reap(workers: dict[int, str], run: Control, options: int) -> None:
    """Report the workers that have ended."""
    while workers:
        pid, status = os.waitpid(-1, options)
        if pid == 0:
            return
        if (worker := workers.pop(pid, None)) is not None:
            run.call("worker_ended", worker=worker, exit_code=os.waitstatus_to_exitcode(status))


def _fork(session: pytest.Session, run: Control, wanted: dict[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = _CRASHED
    try:
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _work(session, run, StackInfo.read(Path(wanted["info"])), wanted["worker"])
        code = 0
    except BaseException:  # noqa: BLE001 -- nothing may return into the process that was forked
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _work(session: pytest.Session, run: Control, stack: StackInfo, worker: str) -> None:
    session.config.stash[STACK] = stack
    reporter = Reporter(run, worker)
    session.config.pluginmanager.register(reporter, "golive-reporter")
    items = {scenario_key(item): item for item in session.items}
    while (claimed := run.call("claim", worker=worker)) is not None:
        key = claimed["key"]
        reporter.started(key)
        # Nothing is kept set up for the next scenario: which one that is, is not known.
        session.config.hook.pytest_runtest_protocol(item=items[key], nextitem=None)
        reporter.finished(key)
