"""Seven checks from real sources; one that is absent, broken or of another commit is never a pass."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.readiness_session import Case, rest_on, with_qa
from harness.cli.readiness_session import judge as judged_launch
from harness.errors import UsageError
from harness.readiness import plan, qa_gate, qa_sources
from harness.readiness.benchmarks import Evidence
from harness.readiness.qa_gate import CHECKS, judge
from harness.records import Outcome, PlanRow, RowState, ScenarioResult, SloResult, TargetInfo
from tests.rows import each_row

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def junit(tests: int = 80, failures: int = 0, errors: int = 0, skipped: int = 0) -> str:
    return (
        f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}">'
        '<testcase classname="tests.contract.test_gateways" name="hotmart"/></testsuite></testsuites>'
    )


def coverage(covered: int, valid: int = 10_000) -> str:
    return f'<?xml version="1.0" ?><coverage lines-valid="{valid}" lines-covered="{covered}" line-rate="1"/>'


def sarif(*results: dict[str, Any], commit: str | None = COMMIT, rules: list[dict[str, Any]] | None = None) -> str:
    run: dict[str, Any] = {"tool": {"driver": {"name": "scan", "rules": rules or []}}, "results": list(results)}
    if commit:
        run["versionControlProvenance"] = [{"repositoryUri": "x", "revisionId": commit}]
    return json.dumps({"version": "2.1.0", "runs": [run]})


KEPT = "Contracts: 11 kept, 0 broken.\n"
PAGE = "words " * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which all is well."""
    (tmp_path / "commit").write_text(f"{COMMIT}\n")
    (tmp_path / "junit.xml").write_text(junit())
    (tmp_path / "coverage.xml").write_text(coverage(8_600))
    (tmp_path / "scan.sarif").write_text(sarif())
    (tmp_path / "import-contracts.txt").write_text(KEPT)
    (tmp_path / "docs" / "runbooks").mkdir(parents=True)
    (tmp_path / "docs" / "phases.md").write_text(PAGE)
    (tmp_path / "docs" / "runbooks" / "dlq.md").write_text(PAGE)
    return tmp_path


def states(folder: Path, commit: str = COMMIT) -> dict[str, RowState]:
    return {one.row.removeprefix("011.3/"): one.state for one in qa_sources.read(folder, commit).found}


def test_all_is_well(folder: Path) -> None:
    assert set(states(folder).values()) == {RowState.MET}
    assert set(states(folder)) == {"unit-tests", "coverage", "scan", "di", "documentation", "pipeline/contract-tests"}


@pytest.mark.parametrize(
    ("name", "text", "row", "state"),
    [
        ("junit.xml", junit(72), "unit-tests", RowState.NOT_MET),
        ("junit.xml", junit(73), "unit-tests", RowState.MET),
        ("junit.xml", junit(80, skipped=8), "unit-tests", RowState.NOT_MET),
        ("junit.xml", junit(failures=1), "unit-tests", RowState.NOT_MET),
        ("junit.xml", junit(errors=1), "unit-tests", RowState.NOT_MET),
        ("junit.xml", junit(0), "unit-tests", RowState.NOT_OBSERVED),
        ("junit.xml", "<testsuites/>", "unit-tests", RowState.NOT_OBSERVED),
        ("junit.xml", "<testsuite/>", "unit-tests", RowState.NOT_OBSERVED),
        ("junit.xml", "not xml", "unit-tests", RowState.NOT_OBSERVED),
        ("junit.xml", '<!DOCTYPE a [<!ENTITY b "c">]>' + junit(), "unit-tests", RowState.NOT_OBSERVED),
        ("coverage.xml", coverage(8_500), "coverage", RowState.NOT_MET),
        ("coverage.xml", coverage(8_501), "coverage", RowState.MET),
        ("coverage.xml", coverage(0, 0), "coverage", RowState.NOT_OBSERVED),
        ("coverage.xml", coverage(11, 10), "coverage", RowState.NOT_OBSERVED),
        ("scan.sarif", sarif({"level": "error"}), "scan", RowState.NOT_MET),
        ("scan.sarif", sarif({"level": "error", "suppressions": [{}]}), "scan", RowState.MET),
        ("scan.sarif", sarif({"level": "error", "kind": "pass"}), "scan", RowState.MET),
        ("scan.sarif", sarif({"level": "warning"}), "scan", RowState.MET),
        (
            "scan.sarif",
            sarif({"ruleId": "R"}, rules=[{"id": "R", "defaultConfiguration": {"level": "error"}}]),
            "scan",
            RowState.NOT_MET,
        ),
        ("scan.sarif", sarif(commit=OTHER), "scan", RowState.NOT_OBSERVED),
        ("scan.sarif", sarif(commit=None), "scan", RowState.MET),  # `commit` beside it says so
        ("scan.sarif", '{"runs": []}', "scan", RowState.NOT_OBSERVED),
        ("scan.sarif", "{}", "scan", RowState.NOT_OBSERVED),
        ("scan.sarif", "[" * 100_000, "scan", RowState.NOT_OBSERVED),
        ("import-contracts.txt", "Contracts: 10 kept, 1 broken.", "di", RowState.NOT_MET),
        ("import-contracts.txt", "Contracts: 0 kept, 0 broken.", "di", RowState.NOT_OBSERVED),
        ("import-contracts.txt", "", "di", RowState.NOT_OBSERVED),
        ("docs/runbooks/dlq.md", "", "documentation", RowState.NOT_MET),
        ("docs/phases.md", "", "documentation", RowState.NOT_MET),
    ],
)
def test_each_source_is_read(folder: Path, name: str, text: str, row: str, state: RowState) -> None:
    (folder / name).write_text(text)
    assert states(folder)[row] is state


def test_json_coverage_is_read_too(folder: Path) -> None:
    (folder / "coverage.xml").unlink()
    (folder / "coverage.json").write_text('{"totals": {"covered_lines": 84, "num_statements": 100}}')
    assert states(folder)["coverage"] is RowState.NOT_MET


def test_two_coverages_have_to_agree(folder: Path) -> None:
    (folder / "coverage.json").write_text('{"totals": {"covered_lines": 84, "num_statements": 100}}')
    found = qa_sources.read(folder, COMMIT).found
    nothing = rest_on([], commit=COMMIT, now=NOW, max_age_days=14)
    record = judged_launch(Case(basis=nothing, commit=COMMIT, found=found), "")
    assert next(row for row in record.stories if row.id == "011.3/coverage").state is RowState.NOT_MET


@pytest.mark.parametrize("said", [OTHER, "", "012345", f"{COMMIT[:12]}-dirty", "unknown"])
def test_another_commit_says_nothing(folder: Path, said: str) -> None:
    (folder / "commit").write_text(said)
    seen = states(folder)
    assert {seen[name] for name in ("unit-tests", "coverage", "di")} == {RowState.NOT_OBSERVED}


@pytest.mark.parametrize("wanted", [f"{COMMIT}-dirty", "unknown", ""])
def test_a_tree_with_changes_is_no_commit(folder: Path, wanted: str) -> None:
    assert set(states(folder, wanted).values()) <= {RowState.NOT_OBSERVED, RowState.MET}
    assert states(folder, wanted)["coverage"] is RowState.NOT_OBSERVED


def test_a_short_name_of_the_same_commit_is_the_same(folder: Path) -> None:
    assert set(states(folder, COMMIT[:12]).values()) == {RowState.MET}


def test_a_percentage_is_cut_not_rounded(folder: Path) -> None:
    (folder / "coverage.xml").write_text(coverage(849_999, 1_000_000))
    said = next(one.evidence for one in qa_sources.read(folder, COMMIT).found if one.row == "011.3/coverage")
    assert "84.99 %" in said


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        qa_sources.read(tmp_path / "none", COMMIT)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fall_over(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("qa")
    (folder / "commit").write_text(COMMIT)
    for name in ("junit.xml", "coverage.xml", "coverage.json", "a.sarif", "import-contracts.txt"):
        (folder / name).write_bytes(content)
    assert RowState.MET not in states(folder).values()


# -- the verdict ---------------------------------------------------------------------------------------------------


def rows_in(state: RowState, **others: RowState) -> list[PlanRow]:
    """Every row of the gate in one state, but those that are named."""
    names = [name for of_check in CHECKS.values() for name in of_check]
    return [
        PlanRow(id=one, story="011.3", text="t", state=others.get(one.rpartition("/")[2].replace("-", "_"), state))
        for one in names
    ]


@each_row(
    ("others", "verdict", "row"),
    [
        ({}, "PASS", RowState.MET),
        ({"di": RowState.ATTESTED}, "CONCERNS", RowState.MET),
        ({"coverage": RowState.WAIVED}, "WAIVED", RowState.WAIVED),
        ({"coverage": RowState.NOT_OBSERVED}, "FAIL", RowState.NOT_OBSERVED),
        ({"coverage": RowState.UNDECIDED}, "FAIL", RowState.NOT_OBSERVED),
        ({"coverage": RowState.NOT_MET}, "FAIL", RowState.NOT_MET),
        ({"coverage": RowState.NOT_MET, "di": RowState.WAIVED}, "FAIL", RowState.NOT_MET),
        ({"coverage": RowState.WAIVED, "di": RowState.NOT_OBSERVED}, "FAIL", RowState.NOT_OBSERVED),
    ],
)
def test_the_word_follows_from_the_rows(others: dict[str, RowState], verdict: str, row: RowState) -> None:
    gate = judge(rows_in(RowState.MET, **others))
    assert (gate.verdict, gate.found.state) == (verdict, row)


def test_a_warning_is_a_concern(folder: Path) -> None:
    (folder / "scan.sarif").write_text(sarif({"level": "warning"}))
    sources = qa_sources.read(folder, COMMIT)
    assert judge(rows_in(RowState.MET), sources.concerns).verdict == "CONCERNS"


@each_row("name", [name for of_check in CHECKS.values() for name in of_check])
def test_each_row_of_each_check_counts(name: str) -> None:
    rows = rows_in(RowState.MET)
    assert judge([one for one in rows if one.id != name]).verdict == "FAIL"
    assert judge([one if one.id != name else replace(one, state=RowState.NOT_MET) for one in rows]).verdict == "FAIL"


def test_there_are_seven_checks_of_rows_that_the_plan_has() -> None:
    assert len(CHECKS) == 7
    assert {name for of_check in CHECKS.values() for name in of_check} <= set(plan.load().rows)


def scenario(outcome: Outcome, suite: str = "analytics", proves: str = "011.5b/fresh") -> ScenarioResult:
    return ScenarioResult(
        id="A-01", title="t", story="s", criterion="c", proves=(proves,), suite=suite, outcome=outcome, duration_s=1.0
    )


@each_row(
    ("scenarios", "state"),
    [
        ([scenario("passed")], RowState.MET),
        ([scenario("passed"), scenario("failed")], RowState.NOT_MET),
        ([scenario("passed"), scenario("skipped")], RowState.UNDECIDED),
        ([scenario("passed", "smoke")], None),
        ([], None),
    ],
)
def test_regressions_are_seen_by_the_analytics_suite(scenarios: list[ScenarioResult], state: RowState | None) -> None:
    found = qa_gate.regressions(scenarios)
    assert (found.state if found else None) is state


@pytest.mark.parametrize(
    ("ran", "state"), [(COMMIT, "met"), (OTHER, "not observed"), (f"{COMMIT}-dirty", "not observed")]
)
def test_a_run_of_another_commit_says_nothing(folder: Path, ran: str, state: str) -> None:
    run = replace(
        rest_on([], commit="", now=NOW, max_age_days=14).record,
        target=TargetInfo(name="mine", commit=ran),
        started_at="2026-03-01T11:00:00Z",
        scenarios=(scenario("passed"),),
    )
    rest = rest_on([run], commit=COMMIT, now=NOW, max_age_days=14)
    _, gate = with_qa(Case(basis=rest, commit=COMMIT), folder)
    check = next(one for one in gate.checks if one.title.startswith("no regressions"))
    assert check.state.value.replace("_", " ") == state


P95 = SloResult(name="dispatch", target=2_000, unit="ms", measured=900.0, samples=2_000, ci95=(800, 950), met=True)


@each_row(
    ("number", "known", "state", "told"),
    [
        (P95, RowState.MET, RowState.MET, "benchmark dispatch: dispatch: 900 ms"),
        (P95, RowState.NOT_OBSERVED, RowState.NOT_OBSERVED, "met. Measured today."),
        (replace(P95, met=False), RowState.MET, RowState.NOT_MET, "not met. Measured today."),
        (replace(P95, met=None), RowState.MET, RowState.MET, "undecided. Measured today."),
        (None, RowState.MET, RowState.MET, "benchmark dispatch: Measured today."),
    ],
)
def test_benchmarks_stand_beside_the_performance_check(
    number: SloResult | None, known: RowState, state: RowState, told: str
) -> None:
    """One over its target breaks it; one under it is no load run."""
    rows = [PlanRow(id="011.3/performance", story="011.3", text="p95 < 2 s", state=known)]
    check = next(
        one
        for one in judge(rows, benchmarks={"dispatch": Evidence(number, "Measured today.")}).checks
        if one.title.startswith("performance")
    )
    assert check.state is state
    assert any(told in line for line in check.evidence), check.evidence


CASE = '<testcase classname="tests.contract.test_gateways" name="a">{}</testcase>'


@pytest.mark.parametrize(
    ("cases", "state"),
    [
        (CASE.format(""), RowState.MET),
        (CASE.format("") + CASE.format("<failure/>"), RowState.NOT_MET),
        (CASE.format("<error/>"), RowState.NOT_MET),
        (CASE.format("<skipped/>"), RowState.NOT_OBSERVED),
        ('<testcase classname="tests.unit.test_x" name="a contract"/>', RowState.NOT_OBSERVED),
        ("", RowState.NOT_OBSERVED),
    ],
)
def test_contract_tests_are_found_in_the_test_report(folder: Path, cases: str, state: RowState) -> None:
    text = re.sub("<testcase.*?/>", lambda _: cases, junit())
    (folder / "junit.xml").write_text(text)
    assert {one.row: one.state for one in qa_sources.read(folder, COMMIT).found}["pipeline/contract-tests"] is state
