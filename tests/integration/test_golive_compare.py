"""`golive compare` and `golive report`, as CI calls them.

The real command is started once for each exit code; the rest is asked in this process.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.records import Ledger, RunRecord, ScenarioResult, SloResult, TargetInfo, Verdict
from reports.write import write_run
from tests import command_line
from tests.rows import check_rows

Golive = Callable[..., subprocess.CompletedProcess[str]]
P95 = SloResult(
    name="webhook latency p95", target=200, unit="ms", measured=150.0, samples=2_000, ci95=(140.0, 160.0), met=True
)
RUN = RunRecord(
    run_id="20260301T120000Z-aaaa",
    kind="run",
    seed=1,
    target=TargetInfo(name="mine", commit="0123456789ab"),
    clock_origin="2026-03-01T12:00:00Z",
    started_at="2026-03-01T12:00:00Z",
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
    slo=(P95,),
)
WORSE = replace(RUN, slo=(replace(P95, measured=190.0, ci95=(180.0, 195.0)),))
NOISE = replace(RUN, slo=(replace(P95, measured=158.0, ci95=(150.0, 165.0)),))


@pytest.fixture
def three_runs(tmp_path: Path) -> Path:
    """A folder with three runs in it."""
    for name, record in (("aaaa", RUN), ("bbbb", WORSE), ("cccc", NOISE)):
        folder = tmp_path / "reports/out" / f"20260301T120000Z-{name}"
        folder.mkdir(parents=True)
        write_run(replace(record, run_id=folder.name), folder)

    return tmp_path


@pytest.fixture
def golive(three_runs: Path) -> Golive:
    """Runs the command, in this process, in a folder with three runs."""
    return partial(command_line.golive, cwd=three_runs)


@pytest.fixture
def golive_process(three_runs: Path) -> Golive:
    """Runs the real command in a folder with three runs."""
    return partial(command_line.golive_process, cwd=three_runs)


def test_it_says_what_changed(golive: Golive, golive_process: Golive) -> None:
    older, worse, noise = (f"20260301T120000Z-{name}" for name in ("aaaa", "bbbb", "cccc"))
    rows: list[tuple[Golive, tuple[str, ...], int, str]] = [
        (golive_process, (older, worse), 0, "webhook latency p95 is 190 ms"),
        (golive_process, (older, worse, "--fail-on-regression"), 1, "worse (1)"),
        (golive, (worse, older, "--fail-on-regression"), 0, "better (1)"),
        (golive, (older, noise, "--fail-on-regression"), 0, "Nothing became better or worse"),
    ]

    def check(row: tuple[Golive, tuple[str, ...], int, str]) -> None:
        run, words, code, said = row
        done = run("compare", *words)
        assert done.returncode == code, done.stderr
        assert said in done.stdout

    check_rows(rows, check, label=lambda row: " ".join(row[1]))


def test_a_run_that_cannot_be_read_ends_in_a_guess(golive: Golive, golive_process: Golive, tmp_path: Path) -> None:
    done = golive_process("compare", "20260301T120000Z-aaaa", "20260301T120000Z-bbb")
    assert done.returncode == 2
    assert "Did you mean '20260301T120000Z-bbbb'?" in done.stderr
    for text in ("", "[]", "{", '{"schema": 9}', "\x00"):
        (tmp_path / "reports/out/20260301T120000Z-bbbb/report.json").write_text(text)
        done = golive("compare", "20260301T120000Z-aaaa", "20260301T120000Z-bbbb")
        assert done.returncode == 2, text
        assert "report.json cannot be read" in done.stderr
        assert "Traceback" not in done.stderr


def test_json_is_alone_on_standard_output(golive: Golive) -> None:
    told = json.loads(golive("compare", "20260301T120000Z-aaaa", "20260301T120000Z-bbbb", "--json").stdout)
    assert (told["older"], told["newer"]) == ("20260301T120000Z-aaaa", "20260301T120000Z-bbbb")
    assert (len(told["worse"]), told["regressions"], told["better"]) == (1, told["worse"], [])


def test_a_report_is_rendered_again_beside_the_other_runs(golive: Golive, tmp_path: Path) -> None:
    folder = tmp_path / "reports/out/20260301T120000Z-aaaa"
    for name in ("index.html", "junit.xml", "summary.md"):
        (folder / name).unlink()
    done = golive("report", folder.name)
    assert done.returncode == 0, done.stderr
    assert {"index.html", "junit.xml", "summary.md"} <= {one.name for one in folder.iterdir()}
    assert "GO" in done.stdout


def test_the_help_has_examples(golive: Golive) -> None:
    for command in ("compare", "report", "readiness"):
        assert f"golive {command}" in golive(command, "--help").stdout
