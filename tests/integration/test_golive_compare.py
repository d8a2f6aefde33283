"""`golive compare` and `golive report`, as CI calls them."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import Ledger, RunRecord, ScenarioResult, SloResult, TargetInfo, Verdict
from reports.write import write_run

Golive = Callable[..., subprocess.CompletedProcess[str]]
GOLIVE = str(Path(sys.executable).parent / "golive")
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
def golive(tmp_path: Path) -> Golive:
    """Runs the command in a folder with three runs."""
    for name, record in (("aaaa", RUN), ("bbbb", WORSE), ("cccc", NOISE)):
        folder = tmp_path / "reports/out" / f"20260301T120000Z-{name}"
        folder.mkdir(parents=True)
        write_run(replace(record, run_id=folder.name), folder)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([GOLIVE, *words], capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("20260301T120000Z-aaaa", "20260301T120000Z-bbbb"), 0, "webhook latency p95 is 190 ms"),
        (("20260301T120000Z-aaaa", "20260301T120000Z-bbbb", "--fail-on-regression"), 1, "worse (1)"),
        (("20260301T120000Z-bbbb", "20260301T120000Z-aaaa", "--fail-on-regression"), 0, "better (1)"),
        (
            ("20260301T120000Z-aaaa", "20260301T120000Z-cccc", "--fail-on-regression"),
            0,
            "Nothing became better or worse",
        ),
    ],
)
def test_it_says_what_changed(golive: Golive, words: tuple[str, ...], code: int, said: str) -> None:
    done = golive("compare", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stdout


def test_a_run_that_cannot_be_read_ends_in_a_guess(golive: Golive, tmp_path: Path) -> None:
    done = golive("compare", "20260301T120000Z-aaaa", "20260301T120000Z-bbb")
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
