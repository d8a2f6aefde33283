"""`golive prove` as its users start it: a caught saboteur, a word that is not known, and Ctrl-C."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import command_line

GOLIVE = str(Path(sys.executable).parent / "golive")
LIMIT_S = 300


def prove(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Started in a folder of its own, where it writes its reports."""
    return subprocess.Popen(
        [GOLIVE, "prove", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "200"},
    )


# Two stacks of the reference for one mutant: 28 CPU-s. The night also proves all of them (`make prove`).
@pytest.mark.nightly
def test_a_saboteur_is_caught_and_bites(tmp_path: Path) -> None:
    asked = prove(tmp_path, "--saboteur", "signature-skipped", "--seed", "7", "--json", "--workers", "1")
    out, err = asked.communicate(timeout=LIMIT_S)
    assert asked.returncode == 0, err
    told = json.loads(out)
    assert (told["caught"], told["total"], told["seed"]) == (1, 1, 7)
    (one,) = told["saboteurs"]
    assert one["outcome"] == "caught"
    assert set(one["claims"]) <= set(one["caught_by"])
    assert one["bites"] >= 1
    assert "401" in one["why"]
    assert list(tmp_path.glob("reports/out/*/prove.json"))
    assert not (tmp_path / "reports/out/prove.json").exists(), "one saboteur is no proof of all"


def test_a_wrong_word_is_answered_with_help() -> None:
    done = command_line.golive("prove", "--saboteur", "signature-skiped")
    assert done.returncode == 2
    assert "Did you mean 'signature-skipped'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("moment", "at_work", "stacks"),
    [("first the reference", "harness.pytest_plugin", 1), ("green in", "scenarios.saboteurs", 2)],
)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, moment: str, at_work: str, stacks: int) -> None:
    """In the control run and in a trial, once it is under way: no process and no folder."""
    running = prove(tmp_path, "--saboteur", "flag-ignored", "--saboteur", "first-touch")
    assert running.stderr is not None
    for line in running.stderr:
        if moment in line:
            break
    family = wait_for_member(running, at_work)
    told = " ".join(family.values())
    folders = [Path(found) for found in sorted(set(re.findall(r"/tmp/golive-[a-z0-9_]+", told)))]  # noqa: S108 -- theirs
    assert len(folders) >= stacks, "each stack has its folder"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not [family[one] for one in alive]
    assert not [folder for folder in folders if folder.exists()]
    assert not here(tmp_path), "also none that was started since"


def wait_for_member(running: subprocess.Popen[str], words: str) -> dict[psutil.Process, str]:
    """Everybody whom it has started, with their command lines, once one has these words in it."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        family = {}
        for one in psutil.Process(running.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                family[one] = " ".join(one.cmdline())
        if any(words in told for told in family.values()):
            return family
    raise AssertionError(f"golive started no {words}")


def here(folder: Path) -> list[str]:
    """Processes that work in a folder: nobody but our golive was started there, and its children stay."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if one.cwd() == str(folder):
                found.append(" ".join(one.cmdline()))
    return found
