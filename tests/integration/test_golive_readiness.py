"""`golive readiness` judges a run again, and forgets nothing of it. The real command, once for each exit code."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.records import Ledger, RunRecord, ScenarioResult, TargetInfo, Verdict
from reports.write import write_run
from tests.command_line import golive, golive_process
from tests.rows import check_rows

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


def test_what_was_wrong_with_the_run_is_wrong_with_the_launch(tmp_path: Path) -> None:
    """One row of many is met: that is never a GO; and what died in the run is not forgotten."""
    rows = [
        (golive_process, GREEN, 3, "INCONCLUSIVE"),
        (golive_process, replace(GREEN, broken=("the target's web died",)), 1, "target's web died"),
        (golive_process, replace(GREEN, harness_errors=("the fake Meta died",)), 2, "the fake Meta died"),
        (
            golive,
            replace(GREEN, ledger=replace(GREEN.ledger, delivered=0, lost=1)),
            1,
            "No accepted conversion is lost",
        ),
    ]

    def check(number: int) -> None:
        run, record, code, said = rows[number]
        here = tmp_path / f"row {number}"
        (here / "run").mkdir(parents=True)
        write_run(record, here / "run")
        done = run("readiness", "--run", str(here / "run"), cwd=here)
        assert done.returncode == code, done.stderr[-2000:]
        assert said in done.stdout

    check_rows(range(len(rows)), check, label=lambda number: rows[number][3])
