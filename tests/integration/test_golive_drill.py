"""`golive drill` as its users start it: the page, the runbook, the recovery, and what is said of it."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.waiting import wait_until

pytestmark = pytest.mark.nightly

HOME = Path(__file__).parents[2]
GOLIVE = str(Path(sys.executable).parent / "golive")
LIMIT_S = 240
COURSE = ["injected", "condition true", "detected", "paged", "mitigated", "recovered", "known", "books closed"]


def drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GOLIVE, "drill", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env={**os.environ, "COLUMNS": "300"},
    )


def steps(report: dict[str, Any]) -> list[str]:
    [scenario] = report["scenarios"]
    return [one["what"].partition(": ")[0] for one in scenario["timeline"]]


def at(report: dict[str, Any], step: str) -> float:
    [scenario] = report["scenarios"]
    [found] = [one["t_s"] for one in scenario["timeline"] if one["what"].startswith(f"{step}: ")]
    return float(found)


@pytest.mark.parametrize(
    ("name", "sales"),
    [("dlq", 101), ("token-expiry", 5), ("database", 5), ("rotated-secret", 3), ("dead-process", 5)],
)
def test_fault_page_runbook_recovery(tmp_path: Path, name: str, sales: int) -> None:
    done = drill(name, "--seed", "7", "--out", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["verdict"], report["kind"]) == ("GO", "run")
    assert [one for one in steps(report) if one in COURSE] == COURSE
    assert 0 <= at(report, "paged") - at(report, "condition true") <= 300, "the plan allows five minutes"
    assert report["ledger"]["delivered"] >= sales
    assert (report["ledger"]["lost"], report["ledger"]["doubled"]) == (0, 0)
    [scenario] = report["scenarios"]
    assert scenario["reproduce"].startswith(f"golive drill {name} --seed 7 --at ")
    assert any("docs/runbooks/" in one for one in scenario["evidence"])
    assert "golive drill" in done.stderr
    assert "paged" in done.stderr


@pytest.mark.parametrize("name", ["breaker", "meta-outage", "gateway-breaks"])
def test_what_is_undone_comes_before_the_recovery(tmp_path: Path, name: str) -> None:
    done = drill(name, "--seed", "7", "--out", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    told = steps(json.loads(done.stdout))
    assert told.index("mitigated") < told.index("cause gone") < told.index("recovered")
    assert ("undone" in told) == (name != "meta-outage")


class Terminal:
    """golive drill at a terminal of its own, and what it has written there so far."""

    def __init__(self, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        env = {**os.environ, "COLUMNS": "300", "TERM": "dumb"}
        self.process = subprocess.Popen(
            [GOLIVE, "drill", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self.text = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal whose last user has gone
            while said := os.read(self.ours, 65_536):
                self.text += said.decode(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """What the screen shows, once it does."""
        found = wait_until(
            lambda: re.search(pattern, self.text), lambda one: one is not None, goal=pattern, within_s=LIMIT_S
        )
        assert found is not None
        return found


def by_hand(*arguments: str) -> tuple[Terminal, str]:
    """A drill that waits for its person, and the program that gives them a shell."""
    terminal = Terminal("dlq", "--seed", "7", "--by-hand", *arguments)
    shell = terminal.wait_for(r"In another terminal: +(\S+)")[1]
    terminal.wait_for("Press Enter here")
    return terminal, shell


def test_a_person_follows_the_runbook(tmp_path: Path) -> None:
    """golive mends nothing then: it waits, and judges what they did by the page and the books."""
    terminal, shell = by_hand("--out", str(tmp_path / "run"))
    env = {"PATH": os.environ["PATH"]}
    assert os.stat(shell).st_mode & 0o077 == 0, "it holds what only the pipeline may know"
    done = subprocess.run(
        [shell, "-c", "python -m reference_impl redrive && psql \"$DATABASE_URL\" -Atc 'SELECT 1'"],
        capture_output=True, text=True, check=False, env=env, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    os.write(terminal.ours, b"\n")
    assert terminal.process.wait(LIMIT_S) == 0, terminal.text[-3000:]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert [one for one in steps(report) if one in COURSE] == COURSE
    [scenario] = report["scenarios"]
    assert "A person followed the runbook up to `sh do`." in scenario["evidence"]
    assert not Path(shell).exists()


def test_a_person_who_does_nothing_has_mended_nothing(tmp_path: Path) -> None:
    terminal, _ = by_hand("--out", str(tmp_path / "run"))
    os.write(terminal.ours, b"\n")
    assert terminal.process.wait(LIMIT_S) == 1, terminal.text[-3000:]
    assert json.loads((tmp_path / "run" / "report.json").read_text())["verdict"] == "NO_GO"


def test_ctrl_c_while_a_person_is_waited_for(tmp_path: Path) -> None:
    terminal, shell = by_hand("--out", str(tmp_path / "run"))
    family = psutil.Process(terminal.process.pid).children(recursive=True)
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.process.wait(LIMIT_S) == 130
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert not Path(shell).parent.exists()


def test_by_hand_wants_a_terminal() -> None:
    done = subprocess.run(
        [GOLIVE, "drill", "dlq", "--by-hand"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "no terminal" in done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The reference's target file, template and runbooks, to be changed."""
    shutil.copy(HOME / "reference_impl" / "target.toml", tmp_path)
    shutil.copytree(HOME / "reference_impl" / "infra", tmp_path / "infra")
    shutil.copytree(HOME / "docs" / "runbooks", tmp_path / "docs" / "runbooks")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('eval "$RESTART"', "true", "nothing on its way before the clock jumps"),
        ("| grep -x OK", "| grep -x FINE", "the runbook's `sh know` of "),
        ("export PROCESS=", "export ROLE=", "page and its drill have drifted"),
    ],
)
def test_a_runbook_that_does_not_work_is_red(copied: Path, old: str, new: str, complaint: str) -> None:
    """The drill does what the page says: where that is wrong, nobody is told that all is well."""
    page = copied / "docs" / "runbooks" / "heartbeat.md"
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new))
    done = drill("dead-process", "--seed", "7", "--target", str(copied / "target.toml"), "--out", str(copied / "run"))
    assert done.returncode == (2 if "drifted" in complaint else 1), done.stderr[-3000:]
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Threshold: 180", "Threshold: 600", "breaker-open"),
        ("Threshold: 95\n", "Threshold: 50\n", "webhook-success"),
        ("TreatMissingData: breaching", "TreatMissingData: notBreaching", "heartbeat-web"),
        ("OKActions: [!Ref PageTopic]", "OKActions: []", "dlq-depth"),
    ],
)
def test_an_alarm_that_is_not_the_plans_is_red(copied: Path, old: str, new: str, complaint: str) -> None:
    """W-09 measures the template that is deployed by the plan's numbers."""
    template = copied / "infra" / "pipeline.yaml"
    text = template.read_text()
    assert old in text
    template.write_text(text.replace(old, new))
    out = ["--target", str(copied / "target.toml"), "--out", str(copied / "run")]
    done = subprocess.run(
        [GOLIVE, "run", "--suite", "monitoring", "-k", "W-09", *out, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    [scenario] = json.loads(done.stdout)["scenarios"]
    assert (scenario["outcome"], complaint in scenario["message"]) == ("failed", True), scenario["message"]


def test_a_name_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    done = drill("token-expry", "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "No drill is called 'token-expry'. Did you mean 'token-expiry'? Known: breaker, " in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_drills_are_listed_and_helped_with() -> None:
    listed = subprocess.run([GOLIVE, "list", "drills", "--json"], capture_output=True, text=True, check=True)
    names = {one["drill"] for one in json.loads(listed.stdout)}
    assert names >= {"token-expiry", "meta-outage", "dlq", "breaker", "gateway-breaks", "database"}
    assert all(one["what happens"] for one in json.loads(listed.stdout))
    assert "golive drill dlq" in drill("--help").stdout


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [GOLIVE, "drill", "dlq", "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "injected" in line:
            break
    family = psutil.Process(running.pid).children(recursive=True)
    assert len(family) > 10, "both instances run by now"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "everything that was started has been ended" in said
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [one.cmdline() for one in alive] == []
