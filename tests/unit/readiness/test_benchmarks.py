"""A benchmark's result is evidence for its own commit and a while; whatever else lies there is not observed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.checks import slo
from harness.readiness import benchmarks, rows
from harness.records import PlanRow, RowState
from tests.rows import each_row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMIT = "0123456789ab"
ROW = "011.5a/overhead"


def left(folder: Path, took_ms: float = 0.2, *, count: int = 1000, commit: str = COMMIT, days: float = 0) -> Path:
    """What `make bench-raw-body` leaves behind."""
    number = slo.p95("raw-body", [took_ms] * count, target=10)
    when = (NOW - timedelta(days=days)).isoformat()
    return benchmarks.write(number, commit=commit, when=when, machine="a machine", folder=folder)


def read(folder: Path, *, commit: str = COMMIT, target: str = "reference") -> Mapping[str, benchmarks.Evidence]:
    return benchmarks.read(folder, commit=commit, target=target, now_s=NOW.timestamp())


def row(folder: Path, **of: str) -> PlanRow:
    """The plan's row that the raw body's benchmark feeds."""
    stories, _ = rows.judge(rows.load(), (), (), benchmarks=read(folder, **of))
    return next(one for one in stories if one.id == ROW)


@each_row(
    ("took_ms", "count", "state"),
    [(0.2, 1000, RowState.MET), (11.0, 1000, RowState.NOT_MET), (0.2, 999, RowState.UNDECIDED)],
)
def test_a_result_decides_its_row(tmp_path: Path, took_ms: float, count: int, state: RowState) -> None:
    """By the rule of every other number; too few samples decide nothing."""
    left(tmp_path, took_ms, count=count)
    found = row(tmp_path)
    assert found.state is state
    assert f"raw-body: {took_ms:g} ms" in found.evidence[0]
    assert found.evidence[1] == "Measured 2026-03-01 12:00 UTC at commit 0123456789ab on a machine."
    assert found.reproduce == "make bench-raw-body"


@each_row(
    ("written", "asked", "why"),
    [
        ({"commit": "ba9876543210"}, {}, "it measured commit ba9876543210, and this is 0123456789ab"),
        ({"commit": f"{COMMIT}-dirty"}, {}, "it measured files that differ from commit 0123456789ab"),
        ({}, {"commit": f"{COMMIT}-dirty"}, "and the files here differ from 0123456789ab"),
        ({"commit": f"{COMMIT}-dirty"}, {"commit": f"{COMMIT}-dirty"}, "it measured files that differ"),
        ({"commit": "unknown"}, {"commit": "unknown"}, "it measured commit unknown, and this is unknown"),
        ({}, {"target": "mine"}, "it measured reference, and this is mine"),
        ({"days": 14.5}, {}, "it is 14 days old, and at most 14 days count"),
        ({"days": -2}, {}, "it is from the future"),
    ],
)
def test_what_does_not_count_says_why(tmp_path: Path, written: Any, asked: Any, why: str) -> None:
    """Another commit, changed files, another target, too old: not observed, and never met."""
    left(tmp_path, **written)
    found = row(tmp_path, **asked)
    assert found.state is RowState.NOT_OBSERVED
    assert why in found.evidence[0]
    assert found.reproduce == "make bench-raw-body"


def test_without_a_result_nothing_is_observed(tmp_path: Path) -> None:
    """And it says which command is missing."""
    found = row(tmp_path / "nowhere")
    assert (found.state, found.evidence[0]) == (RowState.NOT_OBSERVED, "Its benchmark has not run here.")


@each_row(
    "spoil",
    [
        lambda told: {**told, "measured": None},
        lambda told: {**told, "schema": 2},
        lambda told: {**told, "name": "another"},
        lambda told: {**told, "when": "2026-03-01T12:00:00"},
        lambda told: {**told, "colour": "red"},
        lambda told: [told],
    ],
    ids=["no-number", "schema", "name", "zone", "unknown", "list"],
)
def test_a_file_that_is_none_of_ours_is_no_evidence(tmp_path: Path, spoil: Any) -> None:
    """Nor does it stop a run."""
    path = left(tmp_path)
    path.write_text(json.dumps(spoil(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    assert "cannot be read" in row(tmp_path).evidence[0]
    path.write_text("x" * 10_001, encoding="utf-8")
    assert "too long" in row(tmp_path).evidence[0]


def test_every_benchmark_of_the_plan_is_written_by_somebody() -> None:
    """The name in the plan is one that the script of its command writes."""
    home = Path(__file__).parents[3]
    for one in rows.load().rows.values():
        if one.benchmark:
            script = home / "benchmarks" / f"{one.who.removeprefix('make bench-').replace('-', '_')}.py"
            assert f'"{one.benchmark}"' in script.read_text(encoding="utf-8"), one.id
            assert f"{one.who.removeprefix('make ')}:" in (home / "Makefile").read_text(encoding="utf-8")
