"""`golive drill` as its users start it: the page, the runbook, the recovery, and what is said of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

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
