"""Children are watched, and nothing outlives the run that started it."""

import os
import queue
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.stack.processes import Death, ExitedEarly, Nursery, wait_ready

FOREVER = [sys.executable, "-S", "-c", "import signal; print('up', flush=True); signal.pause()"]


def test_a_death_that_nobody_wanted_is_reported(tmp_path: Path) -> None:
    """The report names the child, how it ended, and its log."""
    deaths: queue.Queue[Death] = queue.Queue()
    nursery = Nursery(deaths.put)
    try:
        child = nursery.start("victim", FOREVER, owner="harness", env=dict(os.environ), log=tmp_path / "v.log")
        os.kill(child.pid, signal.SIGKILL)
        death = deaths.get(timeout=10)
        assert death.owner == "harness"
        assert "victim was killed by SIGKILL" in death.sentence()
        assert str(tmp_path / "v.log") in death.sentence()
    finally:
        nursery.stop_all()


def test_a_wanted_end_is_silent(tmp_path: Path) -> None:
    """Killing on purpose is a fault being played, not an accident."""
    deaths: queue.Queue[Death] = queue.Queue()
    nursery = Nursery(deaths.put)
    try:
        child = nursery.start("victim", FOREVER, owner="target", env=dict(os.environ), log=tmp_path / "v.log")
        child.kill()
        assert not child.running()
    finally:
        nursery.stop_all()
    assert deaths.empty()


def test_waiting_for_a_dead_child_ends_at_once(tmp_path: Path) -> None:
    """A child that dies before it is ready ends the wait, and the error shows the end of its log."""
    nursery = Nursery(lambda _: None)
    try:
        argv = [sys.executable, "-S", "-c", "raise SystemExit('no database here')"]
        child = nursery.start("victim", argv, owner="harness", env=dict(os.environ), log=tmp_path / "v.log")
        with pytest.raises(ExitedEarly, match="no database here"):
            wait_ready(child, lambda: "not ready", within_s=60)
    finally:
        nursery.stop_all()


def test_waiting_has_a_limit(tmp_path: Path) -> None:
    """A child that lives and never gets ready is an error that says what was missing."""
    nursery = Nursery(lambda _: None)
    try:
        child = nursery.start("victim", FOREVER, owner="harness", env=dict(os.environ), log=tmp_path / "v.log")
        with pytest.raises(HarnessError, match=r"victim was not ready within 0\.1 s: its port is closed"):
            wait_ready(child, lambda: "its port is closed", within_s=0.1)
    finally:
        nursery.stop_all()


def test_a_killed_golive_leaves_nothing_behind(tmp_path: Path) -> None:
    """The guardian ends the children and removes the work folder of a parent that was killed."""
    folder = tmp_path / "work"
    folder.mkdir()
    log = str(tmp_path / "v.log")
    parent_code = f"""
import os, pathlib, sys
from harness.stack.processes import Nursery
nursery = Nursery(lambda death: None)
nursery.sweep_later(pathlib.Path({str(folder)!r}))
child = nursery.start("victim", {FOREVER!r}, owner="harness", env=dict(os.environ), log=pathlib.Path({log!r}))
print(child.pid, nursery._guardian.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    pids = [int(one) for one in parent.stdout.readline().split()]
    victims = [psutil.Process(pid) for pid in pids]
    parent.kill()
    parent.wait(timeout=10)
    parent.stdin.close()
    parent.stdout.close()
    gone, alive = psutil.wait_procs(victims, timeout=10)
    assert not alive
    assert len(gone) == 2
    assert not folder.exists()


def test_a_second_child_of_one_name_is_refused(tmp_path: Path) -> None:
    """It would take the first one's place, and nobody would end the first."""
    nursery = Nursery(lambda death: None)
    try:
        first = nursery.start("twin", FOREVER, owner="harness", env=dict(os.environ), log=tmp_path / "a.log")
        with pytest.raises(HarnessError, match="twin is running already"):
            nursery.start("twin", FOREVER, owner="harness", env=dict(os.environ), log=tmp_path / "b.log")
        first.kill()
        nursery.start("twin", FOREVER, owner="harness", env=dict(os.environ), log=tmp_path / "c.log")
    finally:
        nursery.stop_all()
