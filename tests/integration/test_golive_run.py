"""`golive run` as its users start it: what it says, how it ends, and that nothing is left running after any ending."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import command_line
from tests.integration.load_target import target_file
from tests.rows import each_row

GOLIVE = str(Path(sys.executable).parent / "golive")
LIMIT_S = 120


class Running:
    """A `golive run` in its own session, with everything that it started."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [GOLIVE, "run", "--out", str(folder), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "200"},
        )
        self.family: dict[int, psutil.Process] = {}
        self.said: list[str] = []

    def wait_until_says(self, words: str) -> None:
        """Read standard error until these words stand in a line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            self.note_family()
            if words in line:
                return
        raise AssertionError(f"golive never said {words!r}: {''.join(self.said)}")

    def note_family(self) -> None:
        """Remember all descendants, so that they can be looked for afterwards."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            self.family[child.pid] = child

    def member(self, words: str) -> psutil.Process:
        """The descendant whose command line holds these words."""
        self.note_family()
        for child in self.family.values():
            if child.is_running() and words in " ".join(child.cmdline()):
                return child
        raise AssertionError(f"no process {words!r} among {[child.cmdline() for child in self.family.values()]}")

    def end(self) -> int:
        """Its exit code, once it has ended; what it said is kept."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        self.said += [out, err]
        return self.process.returncode

    def text(self) -> str:
        """Everything that it said."""
        return "".join(self.said)

    def assert_nothing_left(self) -> None:
        """No descendant is alive a moment after the end."""
        _, alive = psutil.wait_procs(list(self.family.values()), timeout=5)
        assert not [" ".join(one.cmdline()) for one in alive]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start runs that are certainly ended when the test is."""
    running: list[Running] = []

    def begin(*arguments: str) -> Running:
        running.append(Running(tmp_path / f"run{len(running)}", *arguments))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        for stream in (one.process.stdout, one.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def small(tmp_path: Path) -> tuple[str, str]:
    """The options of a target that costs a quarter of the reference: one process, no database, no queue."""
    return "--target", str(target_file(tmp_path))


def report(running: Running) -> dict[str, Any]:
    """The run's report.json."""
    content: dict[str, Any] = json.loads((running.folder / "report.json").read_text(encoding="utf-8"))
    return content


def test_the_seed_decides_the_bytes(start: Callable[..., Running], small: tuple[str, str]) -> None:
    """Twice the same command: every scenario has put the same bytes on the wire. Another seed: other bytes.

    What each dialect writes is looked at in tests/contract/test_fake_gateways.py, process by process.
    """
    command = (*small, "-k", "G-07 or S-01", "--at", "2026-03-01T12:00:00Z", "--json")
    runs = [start(*command, "--seed", seed) for seed in ("7", "7", "8")]
    assert all(one.end() in (0, 1) for one in runs), runs[0].text()
    first, again, other = ({one["id"]: one["wire_sha256"] for one in report(run)["scenarios"]} for run in runs)
    assert first == again
    assert len(first) == 2
    assert not set(first.values()) & {*other.values(), ""}


def test_a_fake_that_dies_is_a_harness_error(start: Callable[..., Running], small: tuple[str, str]) -> None:
    """Exit 2 and a sentence about what died and where its log is; nothing is said of the target."""
    run = start("--suite", "gateways", *small)
    run.wait_until_says(" s  scenarios")
    run.member("simulators meta").send_signal(signal.SIGKILL)
    assert run.end() == 2
    assert "fake meta was killed by SIGKILL" in run.text()
    assert "fake-meta.log" in run.text()
    assert report(run)["verdict"] is None
    run.assert_nothing_left()


def test_a_target_process_that_dies_is_a_broken_promise(start: Callable[..., Running]) -> None:
    """Exit 1, and the reason names the process."""
    run = start("--suite", "gateways")
    run.wait_until_says(" s  scenarios")
    run.member("reference_impl consumer").send_signal(signal.SIGKILL)
    assert run.end() == 1
    assert "Consumer was killed by SIGKILL" in run.text()
    assert report(run)["verdict"] == "NO_GO"
    run.assert_nothing_left()


@pytest.mark.parametrize(
    "number",
    # SIGTERM goes the same way; that it does is tests/unit/harness/test_ended_from_outside.py, every day.
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)],
)
def test_ctrl_c_leaves_nothing_behind(start: Callable[..., Running], number: signal.Signals) -> None:
    """In the middle of a run: everything that was started is ended."""
    run = start("--suite", "gateways")
    run.wait_until_says(" s  scenarios")
    run.member("reference_impl web")
    run.process.send_signal(number)
    assert run.end() == 130
    run.assert_nothing_left()


def test_a_killed_run_leaves_nothing_behind(start: Callable[..., Running], small: tuple[str, str]) -> None:
    """Even `kill -9` of golive itself."""
    run = start("--suite", "gateways", *small)
    run.wait_until_says(" s  scenarios")
    run.member("load_target.py")
    run.process.kill()
    assert run.end() == -signal.SIGKILL
    run.assert_nothing_left()


@each_row(
    ("arguments", "words"),
    [
        (("--suite", "gatewys"), "Did you mean 'gateways'?"),
        (("-k", "nothing_is_called_that"), "golive list scenarios"),
        (("--at", "noon"), "is not a time"),
        (("--target", "nowhere.toml"), "There is no target file nowhere.toml"),
    ],
)
def test_a_wrong_word_is_answered_with_help(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Exit 2, what is wrong, the nearest guess or the next step; never a stack trace."""
    done = command_line.golive("run", "--out", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert words in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
