"""A row is met when something that can see it looked, and everything that looked agreed."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks import slo
from harness.errors import HarnessError
from harness.readiness import plan, rows
from harness.readiness.plan import Plan
from harness.records import Concern, Outcome, PlanRow, RowState, ScenarioResult, SloResult
from tests.rows import each_row

TEXT = """
[gateways]
stripe = "1"
hotmart = "2"

[stories."1"]
title = "Stripe"
rows = [
    { id = "hmac", text = "only genuine webhooks", how = "scenario", note = "a note" },
    { id = "both", text = "signature and checks", how = "scenario", all_of = ["1/hmac", "checklist/*"] },
    { id = "above", text = "what follows from what follows", how = "scenario", all_of = ["1/both"] },
    { id = "many", text = "two scenarios or more", how = "scenario", at_least = 2 },
    { id = "latency", text = "p95 < 200 ms", how = "load", slo = "webhook latency p95, stripe" },
    { id = "baseline", text = "baseline is known", how = "load", slo = "webhook latency p95", measured = true },
    { id = "rate", text = "success > 99 %", how = "load", slo = "success rate" },
    { id = "asked", text = "someone looked", how = "attestation", who = "the launch owner" },
    { id = "later", text = "real money", how = "out_of_scope", reason = "no sandbox" },
]

[stories."2"]
title = "Hotmart"
rows = [{ id = "hmac", text = "only genuine webhooks", how = "scenario" }]
"""
CHECKS = """
[checklist.code]
title = "Code"
rows = [{ id = "traced", text = "it can be traced", how = "scenario" }]
"""
PLAN = plan.parse(TEXT, CHECKS)


def seen(
    outcome: Outcome,
    name: str = "G-01",
    *,
    proves: tuple[str, ...] = ("1/hmac",),
    blame: str = "target",
    message: str = "",
) -> ScenarioResult:
    """A scenario that ended so."""
    return ScenarioResult(
        id=name,
        title="t",
        story="1",
        criterion="hmac",
        proves=proves,
        suite="s",
        outcome=outcome,
        duration_s=0.0,
        blame="harness" if blame == "harness" else "target" if outcome == "failed" else "",
        message=message,
        reproduce=f"golive run -k '{name}'",
    )


def number(name: str, met: bool | None, *, measured: float | None = 150.0, note: str = "") -> SloResult:
    """A measurement."""
    bounds = None if measured is None else (measured - 5, measured + 5)
    return SloResult(name=name, target=200, unit="ms", measured=measured, samples=9, ci95=bounds, met=met, note=note)


def judged(
    name: str, *scenarios: ScenarioResult, slos: Sequence[SloResult] = (), of: Plan = PLAN, reproduce: str = ""
) -> PlanRow:
    """What is known of one row."""
    stories, checklist = rows.judge(of, scenarios, slos, reproduce=reproduce)
    return next(row for row in (*stories, *checklist) if row.id == name)


# -- claims --------------------------------------------------------------------------------------------------------


@each_row("gateway", ["perfectpay", "hotmart", "kiwify", "stripe"])
def test_a_template_means_the_gateways_own_row(gateway: str) -> None:
    assert rows.expand("gateway/hmac", gateway) == (f"{rows.load().gateways[gateway]}/hmac",)


def test_a_gateway_without_a_story_proves_no_line_of_the_plan() -> None:
    """A fifth gateway is tested like the others; the launch plan knows four."""
    assert rows.expand("gateway/hmac", "eduzz") == ()
    assert rows.expand("011.3/retry", "eduzz") == ("011.3/retry",)


def test_a_full_name_means_itself_with_and_without_a_gateway() -> None:
    assert rows.expand("011.3/retry", None) == rows.expand("011.3/retry", "stripe") == ("011.3/retry",)


@each_row(
    ("claim", "gateway", "told"),
    [
        ("011.3/retri", None, "No row of the launch plan is called '011.3/retri'. Did you mean '011.3/retry'?"),
        ("gateway/hmca", "hotmart", "Did you mean '011.4a/hmac'?"),
        ("quite something else", None, "The rows are in harness/readiness/*.toml."),
        ("gateway/hmac", None, "Name the story instead, like '011.4c/hmac' for Stripe."),
        ("011.4a/scenarios", None, "it counts scenarios"),
        ("011.2/ready", None, "it follows from other rows"),
        ("011.4a/latency", None, "it is seen by load"),
        ("checklist/infrastructure/sqs", None, "it is seen by readiness"),
        ("011.1/first-hour", None, "it is seen by attestation"),
    ],
)
def test_a_claim_that_cannot_be_kept_is_refused(claim: str, gateway: str | None, told: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(told)):
        rows.expand(claim, gateway)


@each_row("name", [row.id for row in rows.load().rows.values() if row.how == "out_of_scope"])
def test_what_is_out_of_scope_cannot_be_claimed(name: str) -> None:
    with pytest.raises(HarnessError, match="out of scope"):
        rows.expand(name, None)


# -- by scenarios --------------------------------------------------------------------------------------------------


@each_row(
    ("outcomes", "state"),
    [
        ((), RowState.NOT_OBSERVED),
        (("passed",), RowState.MET),
        (("passed", "passed"), RowState.MET),
        (("failed",), RowState.NOT_MET),
        (("passed", "failed"), RowState.NOT_MET),
        (("skipped", "failed"), RowState.NOT_MET),
        (("error", "failed"), RowState.NOT_MET),
        (("skipped",), RowState.NOT_OBSERVED),
        (("error",), RowState.UNDECIDED),
        (("skipped", "error"), RowState.UNDECIDED),
        (("passed", "skipped"), RowState.UNDECIDED),
        (("passed", "error"), RowState.UNDECIDED),
    ],
)
def test_everything_that_looked_has_to_agree(outcomes: tuple[Outcome, ...], state: RowState) -> None:
    scenarios = [seen(outcome, f"G-0{place}") for place, outcome in enumerate(outcomes)]
    assert judged("1/hmac", *scenarios).state is state
    assert judged("1/hmac", *reversed(scenarios)).state is state


def test_a_failure_of_ours_does_not_speak_against_the_target() -> None:
    assert judged("1/hmac", seen("failed", blame="harness")).state is RowState.UNDECIDED


def test_a_scenario_speaks_only_for_what_it_proves() -> None:
    assert judged("2/hmac", seen("passed")).state is RowState.NOT_OBSERVED


def test_the_evidence_names_who_saw_what_and_the_note() -> None:
    row = judged("1/hmac", seen("passed", "G-01"), seen("failed", "G-02"), seen("skipped", "G-03"))
    assert row.evidence == ("Failed: G-02.", "Passed: G-01.", "Skipped or not carried out: G-03.", "Note: a note.")
    assert row.reproduce == "golive run -k 'G-02'"


def test_a_skip_says_why() -> None:
    row = judged("1/hmac", seen("passed"), seen("skipped", "G-02", message="no probes\nmore"))
    assert "no probes" in row.evidence


def test_long_evidence_is_cut() -> None:
    row = judged("1/hmac", *(seen("passed", f"G-{place:02}") for place in range(20)))
    assert row.evidence[0].endswith("G-07 and 12 more.")


# -- by count ------------------------------------------------------------------------------------------------------


@each_row(
    ("scenarios", "state"),
    [
        ((), RowState.NOT_OBSERVED),
        ((seen("passed", "A"),), RowState.UNDECIDED),
        ((seen("passed", "A[x]"), seen("passed", "A[y]")), RowState.UNDECIDED),  # two variants are one scenario
        ((seen("passed", "A"), seen("passed", "B")), RowState.MET),
        ((seen("passed", "A"), seen("passed", "B"), seen("failed", "C")), RowState.NOT_MET),
        ((seen("passed", "A"), seen("passed", "B[x]"), seen("skipped", "B[y]")), RowState.UNDECIDED),
        ((seen("passed", "A"), seen("passed", "B", proves=("2/hmac",))), RowState.UNDECIDED),  # another gateway's
        ((seen("skipped", "A"), seen("skipped", "B")), RowState.NOT_OBSERVED),
    ],
)
def test_different_scenarios_are_counted(scenarios: tuple[ScenarioResult, ...], state: RowState) -> None:
    assert judged("1/many", *scenarios).state is state


# -- by other rows -------------------------------------------------------------------------------------------------

TRACED = ("checklist/code/traced",)


@each_row(
    ("scenarios", "state"),
    [
        ((), RowState.NOT_OBSERVED),
        ((seen("passed"),), RowState.UNDECIDED),
        ((seen("error"),), RowState.UNDECIDED),
        ((seen("passed"), seen("passed", "T", proves=TRACED)), RowState.MET),
        ((seen("passed"), seen("failed", "T", proves=TRACED)), RowState.NOT_MET),
        ((seen("failed"),), RowState.NOT_MET),
    ],
)
@each_row("name", ["1/both", "1/above"])
def test_a_row_follows_from_its_members(scenarios: tuple[ScenarioResult, ...], state: RowState, name: str) -> None:
    """Directly, and through a row that follows itself."""
    assert judged(name, *scenarios).state is state


def test_a_row_that_follows_says_what_is_missing() -> None:
    row = judged("1/both", seen("passed"))
    assert row.evidence == ("1 of the 2 rows that it follows from are settled; missing: checklist/code/traced.",)


def test_a_plan_that_goes_round_in_a_circle_is_refused() -> None:
    text = TEXT.replace('all_of = ["1/hmac", "checklist/*"]', 'all_of = ["1/above"]')
    with pytest.raises(HarnessError, match="in a circle: 1/both → 1/above → 1/both"):
        judged("1/both", of=plan.parse(text, CHECKS))


# -- by numbers ----------------------------------------------------------------------------------------------------

OF_STRIPE = slo.of_gateway(slo.WEBHOOK_P95, "stripe")


@each_row(
    ("name", "slos", "state"),
    [
        ("1/latency", [], RowState.NOT_OBSERVED),
        ("1/latency", [number(OF_STRIPE, True)], RowState.MET),
        ("1/latency", [number(OF_STRIPE, False)], RowState.NOT_MET),
        ("1/latency", [number(OF_STRIPE, None)], RowState.UNDECIDED),
        ("1/latency", [number(OF_STRIPE, None, measured=None)], RowState.NOT_OBSERVED),
        ("1/latency", [number(OF_STRIPE, False, measured=None)], RowState.NOT_MET),  # never answered
        ("1/latency", [number(slo.of_gateway(slo.WEBHOOK_P95, "hotmart"), True)], RowState.NOT_OBSERVED),
        ("1/latency", [number(slo.WEBHOOK_P95, True)], RowState.UNDECIDED),  # all gateways together
        ("1/latency", [number(slo.WEBHOOK_P95, None, measured=None)], RowState.NOT_OBSERVED),
        ("1/baseline", [number(slo.WEBHOOK_P95, False)], RowState.MET),  # it need only be known
        ("1/baseline", [number(slo.WEBHOOK_P95, None, measured=None)], RowState.NOT_OBSERVED),
    ],
)
def test_a_number_decides_its_row(name: str, slos: list[SloResult], state: RowState) -> None:
    assert judged(name, slos=slos).state is state


def test_too_few_samples_leave_a_baseline_undecided() -> None:
    few = slo.p95(slo.WEBHOOK_P95, [1.0] * 10, target=200)
    assert judged("1/baseline", slos=[few]).state is RowState.UNDECIDED


def test_the_evidence_of_a_number_tells_all_that_decided_it() -> None:
    told = judged("1/latency", slos=[number(OF_STRIPE, True, note="raw")]).evidence[0]
    assert told == f"{OF_STRIPE}: 150 ms, 95 % interval 145 to 155 ms, over 9 samples, target 200 ms (raw)."


@each_row(
    ("names", "required"),
    [
        ([], set()),
        ([OF_STRIPE], {"1/latency"}),
        ([slo.WEBHOOK_P95, slo.SUCCESS_RATE], {"1/baseline", "1/rate"}),
        ([slo.MATCH_RATE], set()),
    ],
)
def test_a_load_run_has_to_settle_what_its_numbers_decide(names: list[str], required: set[str]) -> None:
    assert rows.required_by(PLAN, [number(name, None) for name in names]) == required


# -- the rest ------------------------------------------------------------------------------------------------------


def test_what_only_people_know_says_who() -> None:
    row = judged("1/asked", seen("passed"))
    assert (row.state, row.evidence) == (RowState.NOT_OBSERVED, ("Can be supplied by the launch owner.",))


def test_what_is_out_of_scope_says_why() -> None:
    row = judged("1/later")
    assert (row.state, row.evidence) == (RowState.OUT_OF_SCOPE, ("Out of scope: no sandbox.",))


def test_every_row_of_the_shipped_plan_is_judged_once_and_in_order() -> None:
    """Nothing ran: nothing is met, and no row is left without a word of how it could be known."""
    shipped = rows.load()
    stories, checklist = rows.judge(shipped, (), ())
    assert [row.id for row in (*stories, *checklist)] == list(shipped.rows)
    assert {row.state for row in (*stories, *checklist)} <= {RowState.NOT_OBSERVED, RowState.OUT_OF_SCOPE}
    assert all(row.evidence and row.how for row in (*stories, *checklist))
    assert all(row.id.startswith("checklist/") for row in checklist)


_RANK = {RowState.NOT_MET: 0, RowState.NOT_OBSERVED: 1, RowState.UNDECIDED: 1, RowState.MET: 2}
_scenarios = st.lists(
    st.builds(
        seen,
        st.sampled_from(["passed", "failed", "skipped", "error"]),
        st.sampled_from(["A[x]", "A[y]", "B", "C"]),
        proves=st.sampled_from([("1/hmac",), ("2/hmac",), TRACED, ("1/hmac", *TRACED)]),
    ),
    max_size=6,
)


@given(_scenarios, st.sampled_from(["1/hmac", "1/both", "1/above", "1/many"]))
def test_one_more_failure_never_improves_a_row(scenarios: list[ScenarioResult], name: str) -> None:
    before, after = judged(name, *scenarios), judged(name, *scenarios, seen("failed", "Z"))
    assert after.state is RowState.NOT_MET
    assert _RANK[after.state] <= _RANK[before.state]


@given(_scenarios, st.sampled_from(["1/hmac", "1/both", "1/above"]))
def test_met_is_never_unseen(scenarios: list[ScenarioResult], name: str) -> None:
    """A met row has passed scenarios behind it, and nothing else."""
    if judged(name, *scenarios).state is RowState.MET:
        of_row = [one for one in scenarios if "1/hmac" in one.proves]
        assert {one.outcome for one in of_row} == {"passed"}


@each_row(
    ("name", "option"),
    [
        ("checklist/infrastructure/sqs", "--aws-profile PROFILE"),
        ("011.1/image", "--aws-profile PROFILE"),
        ("checklist/data/migrations", "--database-url-env VARIABLE"),
        ("011.2/title", "--story FILE.md"),
        ("011.3/scan", "--qa FOLDER"),
        ("011.3/documentation", "--qa FOLDER"),
        ("checklist/team/support", "--attestations FILE"),
    ],
)
def test_a_row_that_no_run_sees_names_the_option_that_lets_it_be_seen(name: str, option: str) -> None:
    stories, checklist = rows.judge(rows.load(), (), ())
    row = next(one for one in (*stories, *checklist) if one.id == name)
    assert row.reproduce == f"golive readiness {option}"


def test_only_the_rows_of_the_part_that_failed_are_not_met() -> None:
    """A red scenario of three rows: one part had passed, one failed, one was never reached."""
    claims = ("1/hmac", "2/hmac", "checklist/code/traced")
    red = replace(seen("failed", proves=claims), kept=("1/hmac",), unreached=("checklist/code/traced",))
    found = {row.id: row.state for part in rows.judge(PLAN, [red], ()) for row in part}
    assert [found[name] for name in claims] == [RowState.MET, RowState.NOT_MET, RowState.UNDECIDED]


def test_a_concern_is_its_rows_evidence() -> None:
    """Though everything that looked has passed."""
    said = Concern(sentence="the plan asks for 202", rows=("1/hmac",))
    both = [
        seen("passed", proves=("1/hmac", "2/hmac")),
        replace(seen("passed", "G-63", proves=("1/hmac",)), concerns=(said,)),
    ]
    found = {row.id: row for part in rows.judge(PLAN, both, ()) for row in part}
    assert (found["1/hmac"].state, found["1/hmac"].evidence[0]) == (RowState.NOT_MET, said.sentence)
    assert found["2/hmac"].state is RowState.MET
