"""`report.json`: what CI and scripts read, held to its schema."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.errors import HarnessError
from harness.records import (
    LoadResult,
    PlanRow,
    PrivacyResult,
    RowState,
    RunRecord,
    ScenarioResult,
    SloResult,
    Verdict,
)
from reports import write
from tests.rows import each_row


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(write.schema())


def test_every_kind_of_run_fits_the_schema(any_record: RunRecord) -> None:
    """And says what the record says."""
    read = json.loads(write.report_json(any_record))
    assert read["schema"] == 1
    assert read["verdict"] == any_record.verdict
    assert len(read["scenarios"]) == len(any_record.scenarios)


def test_the_record_can_be_read_again(any_record: RunRecord) -> None:
    """`golive report` and `golive compare` work from the file: nothing may be lost on the way."""
    assert RunRecord.from_json(json.loads(write.report_json(any_record))) == any_record


def test_the_kinds_of_run_are_what_they_are_called(
    go: RunRecord, no_go: RunRecord, inconclusive: RunRecord, harness_error: RunRecord, empty: RunRecord
) -> None:
    """Otherwise the tests beside this one would test something else."""
    assert [(one.verdict, one.exit_code) for one in (go, no_go, inconclusive, harness_error, empty)] == [
        (Verdict.GO, 0),
        (Verdict.NO_GO, 1),
        (Verdict.INCONCLUSIVE, 3),
        (None, 2),
        (Verdict.INCONCLUSIVE, 3),
    ]


@each_row(
    ("part", "kind"),
    [
        (None, RunRecord),
        ("scenario", ScenarioResult),
        ("slo", SloResult),
        ("privacy", PrivacyResult),
        ("load", LoadResult),
        ("row", PlanRow),
    ],
)
def test_the_schema_names_every_field_and_no_other(part: str | None, kind: type) -> None:
    """A field that is added to a record has to be added here too."""
    schema: dict[str, Any] = write.schema() if part is None else write.schema()["$defs"][part]
    named = {one.name for one in fields(kind)} | ({"schema"} if part is None else set())
    assert set(schema["properties"]) == set(schema["required"]) == named
    assert schema["additionalProperties"] is False


def test_the_schema_knows_every_word() -> None:
    schema = write.schema()
    assert set(schema["properties"]["verdict"]["enum"]) == {*Verdict, None}
    assert set(schema["$defs"]["row"]["properties"]["state"]["enum"]) == set(RowState)


def _row(record: RunRecord, **changes: Any) -> RunRecord:
    return replace(record, stories=(replace(record.stories[0], **changes), *record.stories[1:]))


def _scenario(record: RunRecord, **changes: Any) -> RunRecord:
    return replace(record, scenarios=(replace(record.scenarios[0], **changes), *record.scenarios[1:]))


@each_row(
    ("spoil", "place"),
    [
        (lambda one: replace(one, exit_code=7), "exit_code"),
        (lambda one: replace(one, exit_code=1), "exit_code"),
        (lambda one: replace(one, verdict=None), "exit_code"),
        (lambda one: replace(one, duration_s=-1.0), "duration_s"),
        (lambda one: replace(one, started_at="yesterday"), "started_at"),
        (lambda one: replace(one, headline=""), "headline"),
        (lambda one: replace(one, seed="7"), "seed"),
        (lambda one: replace(one, alarms=({"name": "dlq"},)), "alarms"),
        (lambda one: replace(one, saboteurs={"caught": 1}), "saboteurs"),
        (lambda one: replace(one, ledger=replace(one.ledger, lost=-1)), "ledger"),
        (lambda one: _row(one, state="fine"), "stories[0].state"),
        (lambda one: _row(one, id=""), "stories[0].id"),
        (lambda one: _scenario(one, outcome="flaky"), "scenarios[0].outcome"),
        (lambda one: _scenario(one, proves=(1,)), "scenarios[0].proves[0]"),
    ],
    shared=("go",),
)
def test_a_record_that_does_not_fit_is_refused_with_its_place(
    go: RunRecord, spoil: Callable[[RunRecord], RunRecord], place: str
) -> None:
    with pytest.raises(HarnessError, match=re.escape(f"$.{place}")):
        write.report_json(spoil(go))


@each_row("value", [float("nan"), float("inf")], shared=("go",))
def test_what_json_cannot_hold_is_refused(go: RunRecord, value: float) -> None:
    with pytest.raises(HarnessError, match="cannot be written as JSON"):
        write.report_json(replace(go, timings={"postgres": value}))


def test_another_schema_is_not_read(go: RunRecord) -> None:
    with pytest.raises(ValueError, match="has schema 2; this golive reads 1"):
        RunRecord.from_json({**go.to_json(), "schema": 2})


# -- files ---------------------------------------------------------------------------------------------------------

FILES = ["index.html", "junit.xml", "report.json", "summary.md"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file there, hidden ones too."""
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir())}


def test_a_run_is_four_files_and_nothing_else(any_record: RunRecord, tmp_path: Path) -> None:
    write.write_run(any_record, tmp_path / "run")
    assert list(contents(tmp_path / "run")) == FILES


def test_the_same_record_gives_the_same_bytes(any_record: RunRecord, tmp_path: Path) -> None:
    """Also when it was read from its own report.json."""
    again = RunRecord.from_json(json.loads(write.report_json(any_record)))
    write.write_run(any_record, tmp_path / "a")
    write.write_run(again, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_bytes_do_not_hang_on_the_order_of_sets(no_go: RunRecord, tmp_path: Path) -> None:
    """Python orders a set anew in every process."""
    (tmp_path / "report.json").write_text(write.report_json(no_go), encoding="utf-8")
    program = (
        "import json, pathlib, sys; from harness.records import RunRecord; from reports import write; "
        "here = pathlib.Path(sys.argv[1]); "
        "record = RunRecord.from_json(json.loads((here / 'report.json').read_text(encoding='utf-8'))); "
        "write.write_run(record, here / sys.argv[2])"
    )
    for seed in ("1", "2"):
        run([sys.executable, "-c", program, str(tmp_path), seed], check=True, env={"PYTHONHASHSEED": seed}, timeout=60)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_record_that_does_not_fit_leaves_the_old_files(go: RunRecord, tmp_path: Path) -> None:
    write.write_run(go, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(HarnessError):
        write.write_run(replace(go, headline=""), tmp_path)
    assert contents(tmp_path) == before


def test_a_lone_surrogate_from_a_targets_answer_is_written_all_the_same(go: RunRecord, tmp_path: Path) -> None:
    """What a broken target sends may not keep its report from being written."""
    write.write_run(_scenario(go, message="bad \udc80 byte"), tmp_path)
    assert list(contents(tmp_path)) == FILES
    json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


def test_a_folder_that_cannot_be_written_to_is_a_harness_error(go: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match="cannot be written to"):
        write.write_run(go, tmp_path / "file")


def test_latest_points_at_the_newest_run(tmp_path: Path) -> None:
    for name in ("run-1", "run-2"):
        (tmp_path / name).mkdir()
        write.point_latest(tmp_path / name)
        assert (tmp_path / write.LATEST).resolve().name == name
    assert sorted(one.name for one in tmp_path.iterdir()) == ["latest", "run-1", "run-2"]


def test_what_is_no_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "run-1").mkdir()
    (tmp_path / write.LATEST).mkdir()
    with pytest.raises(HarnessError, match="cannot point at the newest run"):
        write.point_latest(tmp_path / "run-1")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["latest", "run-1"]


# -- the manual ----------------------------------------------------------------------------------------------------

MANUAL = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")


@each_row(
    "word",
    [
        *(one.name for one in fields(RunRecord)),
        *(one.name for one in fields(ScenarioResult)),
        *(one.name for one in fields(SloResult)),
        *(one.name for one in fields(PlanRow)),
        *Verdict,
        *RowState,
    ],
)
def test_the_manual_explains_every_word(word: str) -> None:
    """A field, verdict or state that is added is added to docs/report.md too."""
    assert f"`{word}`" in MANUAL


@each_row("verdict", list(Verdict))
def test_the_manual_tells_the_exit_codes(verdict: Verdict) -> None:
    assert re.search(rf"\| `{verdict}` \| {verdict.exit_code} \|", MANUAL)
