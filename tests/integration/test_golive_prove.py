"""`golive prove` as its users start it: a caught saboteur, a word that is not known, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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


def test_a_wrong_word_is_answered_with_help(tmp_path: Path) -> None:
    asked = prove(tmp_path, "--saboteur", "signature-skiped")
    _, err = asked.communicate(timeout=LIMIT_S)
    assert asked.returncode == 2
    assert "Did you mean 'signature-skipped'?" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("moment", ["first the reference", "green in"])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, moment: str) -> None:
    running = prove(tmp_path, "--saboteur", "flag-ignored", "--saboteur", "first-touch")
    assert running.stderr is not None
    for line in running.stderr:
        if moment in line:
            break
    family = psutil.Process(running.pid).children(recursive=True)
    assert family, "a stack must be running by now"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, [one.cmdline() for one in alive]
