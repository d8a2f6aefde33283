"""Processes forked from a warm one behave as those that subprocess starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.stack.fork_server import ForkedProcess, popen_from
from harness.waiting import wait_until

LIMIT_S = 20.0

#: A warm process of the test's own: `run` understands a few words.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from scenarios.saboteurs._fork_server import serve

def run(argv):
    match argv:
        case ["exit", code]:
            return int(code)
        case ["say", *words]:
            print(*words)
            print("and", os.environ["WORD"], sorted(os.environ), file=sys.stderr)
            return 0
        case ["about"]:
            print(json.dumps({"session": os.getsid(0), "pid": os.getpid(), "fds": sorted(os.listdir("/proc/self/fd"))}))
            return 0
        case ["echo"]:
            for line in sys.stdin:
                print("heard", line.strip(), flush=True)
            return 0
        case ["wait"]:
            print("waiting", flush=True)
            signal.pause()

serve(Path(sys.argv[1]), run)
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("warm")
    path = folder / "warm.sock"
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], env={**os.environ, "PYTHONPATH": str(root)}, start_new_session=True
    )
    wait_until(path.exists, bool, goal="the warm process listens", within_s=LIMIT_S)
    yield path
    child.kill()
    child.wait()


def fork(warm: Path, log: Path, *argv: str) -> ForkedProcess:
    with log.open("ab") as out:
        return popen_from(warm, argv, env={"WORD": "hello"}, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_is_known(warm: Path, tmp_path: Path, code: int) -> None:
    assert fork(warm, tmp_path / "log", "exit", str(code)).wait(LIMIT_S) == code


def test_output_goes_to_the_given_file_and_the_environment_is_the_given_one(warm: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert fork(warm, log, "say", "a", "word").wait(LIMIT_S) == 0
    assert log.read_text().splitlines() == ["and hello ['WORD']", "a word"] or log.read_text().splitlines() == [
        "a word",
        "and hello ['WORD']",
    ]


def test_process_leads_a_session_of_its_own_and_holds_nothing_of_the_warm_one(warm: Path, tmp_path: Path) -> None:
    waiting = fork(warm, tmp_path / "other", "wait")
    log = tmp_path / "log"
    process = fork(warm, log, "about")
    assert process.wait(LIMIT_S) == 0
    about = json.loads(log.read_text())
    assert about["session"] == about["pid"] == process.pid
    assert len(about["fds"]) == 4, "standard input, output and error, and the folder that was listed"
    os.killpg(waiting.pid, signal.SIGKILL)
    waiting.wait(LIMIT_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signal_reaches_its_group_and_is_its_exit_code(warm: Path, tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    process = fork(warm, log, "wait")
    wait_until(log.read_text, lambda text: "waiting" in text, goal="it waits", within_s=LIMIT_S)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, number)
    assert process.wait(LIMIT_S) == process.poll() == -number


def test_many_processes_at_once_each_have_their_own_end(warm: Path, tmp_path: Path) -> None:
    processes = [fork(warm, tmp_path / "log", "exit", str(code)) for code in range(20)]
    assert [one.wait(LIMIT_S) for one in processes] == list(range(20))


def test_pipes_lead_to_and_fro_and_end_with_their_other_end(warm: Path, tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with (tmp_path / "log").open("ab") as errors:
        process = popen_from(warm, ["echo"], env={}, stdin=pipe, stdout=pipe, stderr=errors)
    assert process.stdin is not None
    assert process.stdout is not None
    for word in ("one", "two"):
        process.stdin.write(f"{word}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"heard {word}\n".encode()
    process.stdin.close()
    assert process.stdout.read() == b"", "nobody else holds its end"
    process.stdout.close()
    assert process.wait(LIMIT_S) == 0


def test_warm_process_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot be reached"):
        fork(tmp_path / "nothing.sock", tmp_path / "log", "exit", "0")
