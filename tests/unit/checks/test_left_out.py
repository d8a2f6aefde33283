"""What an everyday run leaves out is unknown, is said everywhere, and is never a pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.checks.verdict import Judgement, decide, required_of
from harness.readiness import rows
from harness.records import (
    Ledger,
    LeftOut,
    PlanRow,
    PrivacyResult,
    RowState,
    RunRecord,
    ScenarioResult,
    TargetInfo,
    Verdict,
)
from reports import annotations, html, junit, markdown
from tests.rows import check_rows, each_row

RETRY = "011.3/retry"
KEPT = ScenarioResult(
    id="D-01",
    title="A brown-out of Meta loses nothing.",
    story="011.3",
    criterion="retry",
    proves=(RETRY,),
    suite="dispatch",
    outcome="passed",
    duration_s=1.0,
)
LEFT_OUT = (
    LeftOut(id="R-01", suite="recovery", proves=(RETRY,)),
    LeftOut(id="R-02", suite="recovery", proves=("011.3/dlq",)),
    LeftOut(id="W-01", suite="monitoring", proves=()),
)


def judged(name: str, *scenarios: ScenarioResult, left_out: tuple[LeftOut, ...] = LEFT_OUT) -> PlanRow:
    stories, checklist = rows.judge(rows.load(), scenarios, (), left_out=left_out)
    return next(one for one in (*stories, *checklist) if one.id == name)


def test_row_that_left_out_scenarios_prove_too_is_undecided() -> None:
    row = judged(RETRY, KEPT)
    assert row.state is RowState.UNDECIDED
    assert "Not run: R-01 (recovery). `golive run --all` runs all." in row.evidence


def test_row_that_only_left_out_scenarios_prove_is_not_observed() -> None:
    row = judged("011.3/dlq", KEPT)
    assert row.state is RowState.NOT_OBSERVED
    assert row.evidence[0].startswith("Not run: R-02 (recovery).")
    assert row.reproduce == "golive run --all"


def test_row_whose_scenarios_all_ran_is_met() -> None:
    assert judged(RETRY, KEPT, left_out=LEFT_OUT[1:]).state is RowState.MET


def test_failed_scenario_is_enough_for_not_met() -> None:
    assert judged(RETRY, replace(KEPT, outcome="failed", blame="target")).state is RowState.NOT_MET


def test_run_need_not_settle_what_it_left_out() -> None:
    other = replace(KEPT, id="G-01", proves=("011.4a/hmac",))
    assert required_of([KEPT, other], LEFT_OUT) == {"011.4a/hmac"}
    assert required_of([KEPT, other]) == {"011.4a/hmac", RETRY}


def test_skipped_scenario_is_still_required_where_others_were_left_out() -> None:
    skipped = replace(KEPT, outcome="skipped", message="not observed: the clock did not move")
    assert required_of([skipped], LEFT_OUT) == {RETRY}


def decided(**changes: Any) -> Any:
    row = PlanRow(id="011.4a/hmac", story="011.4a", text="it is signed", state=RowState.MET, how="scenario")
    given: dict[str, Any] = {
        "scenarios": (replace(KEPT, proves=(row.id,)),),
        "left_out": LEFT_OUT,
        "ledger": Ledger(),
        "privacy": PrivacyResult(),
        "plan": (row,),
        "required": (row.id,),
    }
    return decide(**{**given, **changes})


def test_headline_names_what_was_left_out() -> None:
    found = decided()
    assert found.verdict is Verdict.GO
    assert found.headline.endswith("; 3 scenarios were not run: recovery (2), monitoring (1)")


@each_row("changes", [{"broken": ("web died",)}, {"required": ("011.3/dlq",)}, {"harness_errors": ("a fake died",)}])
def test_headline_names_it_beside_every_verdict_about_the_target(changes: dict[str, Any]) -> None:
    assert ("not run: recovery (2)" in decided(**changes).headline) == ("harness_errors" not in changes)


def test_next_step_is_to_run_all() -> None:
    steps = decided(options=" --target mine.toml").next_steps
    assert any("`golive run --all --target mine.toml`" in one for one in steps)


def test_nothing_is_said_where_nothing_was_left_out() -> None:
    found = decided(left_out=())
    assert "not run" not in found.headline
    assert not any("--all" in one for one in found.next_steps)


def recorded(found: Judgement, **changes: Any) -> RunRecord:
    return RunRecord(
        run_id="r",
        kind="run",
        seed=1,
        target=TargetInfo(name="mine", commit="abc"),
        clock_origin="2026-03-01T12:00:00Z",
        started_at="2026-03-01T12:00:00Z",
        duration_s=1.0,
        machine="m",
        command="golive run",
        verdict=found.verdict,
        exit_code=found.exit_code,
        headline=found.headline,
        **changes,
    )


def test_every_report_format_names_it() -> None:
    record = recorded(decided(), scenarios=(KEPT,), left_out=LEFT_OUT)
    formats = {
        "html": html.render(record),
        "markdown": markdown.render(record),
        "junit": junit.render(record),
        "annotations": "\n".join(annotations.lines(record, file=None)),
    }
    check_rows(formats, lambda name: _holds(formats[name]))
    assert 'name="left_out" value="recovery (2), monitoring (1)"' in formats["junit"]
    assert RunRecord.from_json(record.to_json()).left_out == LEFT_OUT


def _holds(text: str) -> None:
    assert "recovery (2), monitoring (1)" in text


def test_report_of_an_older_golive_left_nothing_out() -> None:
    data = recorded(decided(left_out=())).to_json()
    del data["left_out"]
    assert RunRecord.from_json(data).left_out == ()
