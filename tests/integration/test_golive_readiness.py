"""`golive readiness` judges a run again, and forgets nothing of it."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.records import Ledger, RunRecord, ScenarioResult, TargetInfo, Verdict
from reports.write import write_run

GOLIVE = str(Path(sys.executable).parent / "golive")
GREEN = RunRecord(
    run_id="r-1",
    kind="run",
    seed=1,
    target=TargetInfo(name="mine", commit="0123456789ab"),
    clock_origin="2026-03-01T12:00:00Z",
    started_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",  # noqa: TID251 -- an old run would not count
    duration_s=1.0,
    machine="a machine",
    command="golive run --seed 1",
    verdict=Verdict.GO,
    exit_code=0,
    headline="GO: all met",
    scenarios=(
        ScenarioResult(
            id="S-01",
            title="A purchase reaches Meta once.",
            story="011.1",
            criterion="202",
            proves=("011.1/202",),
            suite="smoke",
            outcome="passed",
            duration_s=1.0,
        ),
    ),
    ledger=Ledger(deliveries=1, accepted=1, delivered=1),
)


@pytest.mark.parametrize(
    ("record", "code", "said"),
    [
        (GREEN, 3, "INCONCLUSIVE"),
        (replace(GREEN, broken=("the target's web died",)), 1, "target's web died"),
        (replace(GREEN, harness_errors=("the fake Meta died",)), 2, "the fake Meta died"),
        (replace(GREEN, ledger=replace(GREEN.ledger, delivered=0, lost=1)), 1, "No accepted conversion is lost"),
    ],
)
def test_what_was_wrong_with_the_run_is_wrong_with_the_launch(
    tmp_path: Path, record: RunRecord, code: int, said: str
) -> None:
    """One row of many is met: that is never a GO; and what died in the run is not forgotten."""
    (tmp_path / "run").mkdir()
    write_run(record, tmp_path / "run")
    done = subprocess.run(
        [GOLIVE, "readiness", "--run", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stderr[-2000:]
    assert said in done.stdout
