"""One word from everything that was seen: the order is the rule, and unknown is never a pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.verdict import Judgement, decide
from harness.records import Concern, Ledger, PlanRow, PrivacyResult, RowState, ScenarioResult, SloResult, Verdict
from tests.rows import each_row

KEPT = ScenarioResult(
    id="S-01",
    title="A purchase reaches Meta once.",
    story="a",
    criterion="1",
    proves=("a/1",),
    suite="smoke",
    outcome="passed",
    duration_s=1.0,
    reproduce="golive run -k S-01",
)
BROKEN = replace(KEPT, id="S-02", outcome="failed", blame="target", message="wanted 1, got 2\nand more")
OURS = replace(KEPT, id="S-03", outcome="error", blame="harness", message="the control socket is gone")
BLAMED_ON_US = replace(OURS, outcome="failed")
SKIPPED = replace(KEPT, id="S-04", outcome="skipped", proves=(), message="no probes")
MET = PlanRow(id="a/1", story="a", text="it answers 202", state=RowState.MET, how="scenario")
CLOSED = Ledger(deliveries=3, rejected=1, accepted=2, duplicate=1, delivered=1)
HUNTED = PrivacyResult(canaries=9, places=("logs",))
SLO = SloResult(name="p95", target=200, unit="ms", measured=150.0, samples=2_000, ci95=(140.0, 160.0), met=True)
REFUTED = replace(SLO, measured=250.0, ci95=(240.0, 260.0), met=False)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run saw; by default all is well."""

    harness_errors: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    scenarios: tuple[ScenarioResult, ...] = (KEPT,)
    ledger: Ledger = CLOSED
    privacy: PrivacyResult = HUNTED
    slo: tuple[SloResult, ...] = (SLO,)
    plan: tuple[PlanRow, ...] = (MET,)
    required: tuple[str, ...] = ("a/1",)
    waivers: dict[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def judged(self) -> Judgement:
        """The word for it."""
        return decide(
            harness_errors=self.harness_errors,
            broken=self.broken,
            scenarios=self.scenarios,
            ledger=self.ledger,
            privacy=self.privacy,
            slo=self.slo,
            plan=self.plan,
            required=self.required,
            waivers=self.waivers,
            doubts=self.doubts,
        )


def row(state: RowState, name: str = "a/1", *evidence: str) -> PlanRow:
    return replace(MET, id=name, state=state, evidence=evidence)


LOST = replace(CLOSED, lost=1, delivered=0)
WELL = Seen()
HARNESS = {
    "told": Seen(harness_errors=("the fake Meta died",)),
    "an error": Seen(scenarios=(KEPT, OURS)),
    "a failure that is ours": Seen(scenarios=(KEPT, BLAMED_ON_US)),
    "sums that do not add up": Seen(ledger=replace(CLOSED, accepted=3)),
    "conversions that do not add up": Seen(ledger=replace(CLOSED, delivered=2)),
    "and red": Seen(harness_errors=("the fake Meta died",), scenarios=(BROKEN,), ledger=LOST),
}
RED = {
    "a scenario": Seen(scenarios=(KEPT, BROKEN)),
    "outside of scenarios": Seen(broken=("web ended with exit code 1",)),
    "lost": Seen(ledger=LOST),
    "doubled": Seen(ledger=replace(CLOSED, doubled=1)),
    "pending": Seen(ledger=replace(CLOSED, pending=1, delivered=0)),
    "leak": Seen(privacy=replace(HUNTED, leaks=("logs: a plain email",))),
    "number refuted": Seen(slo=(SLO, REFUTED)),
    "row not met": Seen(plan=(row(RowState.NOT_MET),)),
    "row not met, not even required": Seen(plan=(MET, row(RowState.NOT_MET, "a/2"))),
    "waived all the same": Seen(plan=(row(RowState.NOT_MET),), waivers={"a/1": "we dare"}),
    "and missing": Seen(scenarios=(BROKEN,), plan=(row(RowState.NOT_OBSERVED),)),
    "and nothing required": Seen(scenarios=(BROKEN,), required=()),
}
MISSING = {
    "not observed": Seen(plan=(row(RowState.NOT_OBSERVED),)),
    "undecided": Seen(plan=(row(RowState.UNDECIDED),)),
    "a row that the plan does not know": Seen(required=("a/1", "a/9")),
    "an empty plan": Seen(plan=()),
    "nothing required": Seen(required=()),
    "nothing at all": Seen(scenarios=(), ledger=Ledger(), privacy=PrivacyResult(), slo=(), plan=(), required=()),
    "a skip that no row tells of": Seen(scenarios=(KEPT, SKIPPED)),
    "and waived": Seen(plan=(row(RowState.WAIVED), row(RowState.UNDECIDED, "a/2")), required=("a/1", "a/2")),
    "another row waived": Seen(plan=(row(RowState.NOT_OBSERVED),), waivers={"a/2": "not this one"}),
}
WAIVED = {
    "in the plan": Seen(plan=(row(RowState.WAIVED),)),
    "by name": Seen(plan=(row(RowState.NOT_OBSERVED),), waivers={"a/1": "the vendor has no sandbox"}),
    "undecided": Seen(plan=(row(RowState.UNDECIDED),), waivers={"a/1": "too few samples"}),
    "a row that the plan does not know": Seen(required=("a/1", "a/9"), waivers={"a/9": "next quarter"}),
}
GO = {
    "all well": WELL,
    "attested": Seen(plan=(row(RowState.ATTESTED),)),
    "out of scope": Seen(plan=(row(RowState.OUT_OF_SCOPE),)),
    "a gap that is not required": Seen(plan=(MET, row(RowState.NOT_OBSERVED, "a/2"))),
    "a number undecided, not required": Seen(slo=(replace(SLO, met=None),)),
    "an unneeded waiver": Seen(waivers={"a/1": "it was met after all"}),
}
CASES = [
    pytest.param(seen, verdict, code, id=f"{verdict or 'harness error'}: {name}")
    for verdict, code, cases in (
        (None, 2, HARNESS),
        (Verdict.NO_GO, 1, RED),
        (Verdict.INCONCLUSIVE, 3, MISSING),
        (Verdict.GO_WITH_CONCERNS, 0, WAIVED),
        (Verdict.GO, 0, GO),
    )
    for name, seen in cases.items()
]


@each_row(("seen", "verdict", "code"), CASES)
def test_the_verdict_and_its_exit_code(seen: Seen, verdict: Verdict | None, code: int) -> None:
    """Harness error before red before missing before waived before go."""
    judged = seen.judged()
    assert (judged.verdict, judged.exit_code) == (verdict, code)


@each_row(("seen", "verdict", "code"), CASES)
def test_every_verdict_gives_its_reasons(seen: Seen, verdict: Verdict | None, code: int) -> None:
    """The headline begins with the word, there is a reason, and something to do next; nothing is said twice."""
    judged = seen.judged()
    assert judged.headline.startswith(f"{verdict.replace('_', ' ') if verdict else 'HARNESS ERROR'}: ")
    assert judged.reasons
    assert len(set(judged.reasons)) == len(judged.reasons)
    assert judged.next_steps


# -- words ---------------------------------------------------------------------------------------------------------


@each_row(
    ("seen", "told"),
    [
        (RED["a scenario"], "Broken: “A purchase reaches Meta once.” In S-02: wanted 1, got 2"),
        (RED["outside of scenarios"], "Web ended with exit code 1."),
        (RED["lost"], "1 conversion was never counted by Meta."),
        (RED["doubled"], "1 conversion was counted twice."),
        (RED["pending"], "1 conversion was still on the way."),
        (RED["leak"], "In logs: a plain email."),
        (RED["number refuted"], "p95 is under 200 ms. Refuted: measured 250 ms, 95 % interval 240 to 260"),
        (HARNESS["and red"], "Seen before that: Broken: “A purchase reaches Meta once.”"),
        (HARNESS["an error"], "could not be carried out: the control socket is gone"),
        (WAIVED["by name"], "is waived: the vendor has no sandbox."),
        (MISSING["a row that the plan does not know"], "a/9, which the launch plan does not know"),
        (MISSING["a skip that no row tells of"], "S-04 (A purchase reaches Meta once.) was skipped."),
    ],
)
def test_a_reason_names_the_promise_and_the_fact(seen: Seen, told: str) -> None:
    reasons = seen.judged().reasons
    assert any(told in one for one in reasons), reasons


def test_a_broken_row_is_told_once() -> None:
    """The scenario's own sentence explains the row that it proves."""
    seen = Seen(scenarios=(BROKEN,), plan=(row(RowState.NOT_MET, "a/1", "Failed: S-02."),))
    assert len(seen.judged().reasons) == 1


def test_a_refuted_rate_has_to_be_over_its_target() -> None:
    rate = replace(REFUTED, name="success rate", unit="%", target=99, measured=90.0, ci95=None)
    assert "success rate is over 99 %. Refuted: measured 90 %" in Seen(slo=(rate,)).judged().reasons[0]


def test_all_open_rows_are_listed_though_not_required() -> None:
    plan = (MET, row(RowState.NOT_OBSERVED, "a/2"), row(RowState.UNDECIDED, "a/3"), row(RowState.OUT_OF_SCOPE, "a/4"))
    judged = Seen(plan=plan).judged()
    assert [one.partition(":")[0] for one in judged.not_observed] == ["a/2", "a/3"]
    assert "1 of 3 rows" in judged.headline


def test_the_way_to_see_a_broken_promise_again_is_a_next_step() -> None:
    steps = RED["a scenario"].judged().next_steps
    assert steps[0] == "Who builds the target mends it, this first. See S-02 fail again: `golive run -k S-01`"


def test_an_undecided_row_is_told_beside_those_that_are_met() -> None:
    """“All of them met” beside a bar with an undecided part was taken for a contradiction."""
    said = [Seen(plan=(MET, *[row(RowState.UNDECIDED, f"a/{n}") for n in range(2, 2 + some)])) for some in range(3)]
    assert [one.judged().headline.partition("all of them met")[2] for one in said] == [
        "",
        ", and 1 more is undecided",
        ", and 2 more are undecided",
    ]


def test_many_red_scenarios_do_not_fill_the_page_with_commands() -> None:
    many = tuple(replace(BROKEN, id=f"S-{number}", title=f"Promise {number}.") for number in range(12))
    judged = Seen(scenarios=many).judged()
    assert len(judged.reasons) == 12
    assert len(judged.next_steps) == 5
    assert judged.next_steps[3] == "All 12 promises again: `golive run --last-failed`"


def test_variants_of_one_promise_are_one_reason() -> None:
    """Seven gateways that break one promise must not hide the six other promises that are broken too."""
    variants = tuple(replace(BROKEN, id=f"S-01[{name}]") for name in ("hotmart", "kiwify", "stripe"))
    judged = Seen(scenarios=variants).judged()
    assert len(judged.reasons) == 1
    assert "” In S-01[hotmart] and 2 more cases: " in judged.reasons[0]


@each_row(
    ("how", "command"),
    [("scenario", "golive run --all"), ("load", "golive load baseline"), ("readiness", "golive readiness")],
)
def test_an_unknown_row_names_the_command_that_sees_it(how: str, command: str) -> None:
    judged = Seen(plan=(replace(row(RowState.NOT_OBSERVED), how=how),)).judged()
    assert any(f"`{command}`" in one and "a/1" in one for one in judged.next_steps), judged.next_steps


# -- properties ----------------------------------------------------------------------------------------------------

#: Best first; a harness error is no place in it.
ORDER = (Verdict.GO, Verdict.GO_WITH_CONCERNS, Verdict.INCONCLUSIVE, Verdict.NO_GO)
ROWS = ("a/1", "a/2", "b/1")

_outcomes = st.sampled_from([KEPT, BROKEN, SKIPPED])
_plans = st.tuples(*(st.builds(row, st.sampled_from(RowState), st.just(name)) for name in ROWS))
_seen = st.builds(
    Seen,
    scenarios=st.lists(_outcomes, max_size=4).map(tuple),
    ledger=st.sampled_from([CLOSED, LOST, Ledger()]),
    privacy=st.sampled_from([HUNTED, PrivacyResult()]),
    slo=st.lists(st.sampled_from([SLO, replace(SLO, met=None), REFUTED]), max_size=2).map(tuple),
    plan=_plans,
    required=st.sets(st.sampled_from(ROWS)).map(lambda names: tuple(sorted(names))),
    waivers=st.dictionaries(st.sampled_from(ROWS), st.just("because"), max_size=3),
)


def _worse(seen: Seen, kind: str) -> Seen:
    """The same, with one thing more that is wrong."""
    spoilt: dict[str, Seen] = {
        "scenario": replace(seen, scenarios=(*seen.scenarios, BROKEN)),
        "process": replace(seen, broken=(*seen.broken, "web died")),
        "leak": replace(seen, privacy=replace(seen.privacy, leaks=("logs: a phone",))),
        "number": replace(seen, slo=(*seen.slo, REFUTED)),
        "doubled": replace(seen, ledger=replace(seen.ledger, doubled=seen.ledger.doubled + 1)),
        "row": replace(seen, plan=(replace(seen.plan[0], state=RowState.NOT_MET), *seen.plan[1:])),
    }
    return spoilt[kind]


@given(_seen, st.sampled_from(["scenario", "process", "leak", "number", "doubled", "row"]))
def test_one_more_failure_is_no_go_whatever_else(seen: Seen, kind: str) -> None:
    """It never improves the verdict, and nothing (no waiver, no gap) hides it."""
    before, after = seen.judged(), _worse(seen, kind).judged()
    assert before.verdict is not None
    assert after.verdict is Verdict.NO_GO
    assert ORDER.index(after.verdict) >= ORDER.index(before.verdict)


@given(_seen)
def test_forgetting_a_row_never_improves_the_verdict(seen: Seen) -> None:
    """What was known and is not observed any more may not turn a run greener."""
    unbroken = tuple(one for one in seen.plan if one.state is not RowState.NOT_MET)
    known = replace(seen, plan=unbroken)
    forgotten = replace(seen, plan=tuple(replace(one, state=RowState.NOT_OBSERVED) for one in unbroken))
    before, after = known.judged().verdict, forgotten.judged().verdict
    assert before is not None
    assert after is not None
    assert ORDER.index(after) >= ORDER.index(before)


@given(_seen, st.lists(st.sampled_from([OURS, BLAMED_ON_US]), min_size=1, max_size=2))
def test_our_own_error_leaves_no_verdict(seen: Seen, ours: Sequence[ScenarioResult]) -> None:
    judged = replace(seen, scenarios=(*seen.scenarios, *ours)).judged()
    assert (judged.verdict, judged.exit_code) == (None, 2)


@given(_seen)
def test_go_means_that_every_required_row_is_settled(seen: Seen) -> None:
    judged = seen.judged()
    states = {one.id: one.state for one in seen.plan}
    if judged.verdict is Verdict.GO:
        assert seen.required
        assert {states[name] for name in seen.required} <= {RowState.MET, RowState.ATTESTED, RowState.OUT_OF_SCOPE}


@given(_seen)
def test_the_exit_code_follows_from_the_verdict(seen: Seen) -> None:
    judged = seen.judged()
    assert judged.verdict is not None
    assert judged.exit_code == {"GO": 0, "GO_WITH_CONCERNS": 0, "NO_GO": 1, "INCONCLUSIVE": 3}[judged.verdict.value]


def test_a_skipped_promise_is_no_row_that_is_missing() -> None:
    """The headline counts rows as rows, and says what to do about a promise that nobody could look at."""
    judged = Seen(scenarios=(KEPT, SKIPPED)).judged()
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "1 promise was not looked at" in judged.headline
    assert "target file" in judged.next_steps[0]


def test_what_a_run_had_to_see_and_could_not_is_inconclusive() -> None:
    """Also where every required row is met: unknown is never a pass. What is broken still comes first."""

    def judged(unknown: Sequence[str], broken: Sequence[str] = ()) -> Judgement:
        return decide(
            ledger=Ledger(),
            privacy=PrivacyResult(),
            plan=[row(RowState.MET)],
            required={"a/1"},
            unknown=unknown,
            broken=broken,
        )

    assert judged([]).verdict is Verdict.GO
    found = judged(["Nobody saw the breaker."])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "Nobody saw the breaker." in found.reasons
    assert judged(["x"], ["it died"]).verdict is Verdict.NO_GO


@each_row(
    ("seen", "told"),
    [
        (Seen(scenarios=(BROKEN,)), "NO GO: 1 promise is broken; "),
        (Seen(plan=(row(RowState.NOT_MET, "a/1"),)), "NO GO: 1 row is not met; "),
        (Seen(plan=(row(RowState.NOT_MET, "a/1"), row(RowState.NOT_MET, "a/2"))), "NO GO: 2 rows are not met; "),
        (
            Seen(scenarios=(BROKEN,), slo=(REFUTED,), plan=(row(RowState.NOT_MET, "b/1"),)),
            "NO GO: 2 promises are broken, and 1 more row is not met; ",
        ),
    ],
)
def test_a_row_that_is_not_met_is_no_broken_promise(seen: Seen, told: str) -> None:
    """Sixty rows that nobody has attested are not sixty broken promises."""
    assert seen.judged().headline.startswith(told)


def test_in_doubt_of_what_it_rests_on_it_is_never_go() -> None:
    judged = Seen(doubts=("The run r-1 does not count: it is old.",)).judged()
    assert (judged.verdict, judged.reasons[0]) == (Verdict.INCONCLUSIVE, "The run r-1 does not count: it is old.")
    assert "what it rests on is in doubt" in judged.headline
    assert Seen(scenarios=(BROKEN,), doubts=("x",)).judged().verdict is Verdict.NO_GO


def test_a_row_that_follows_from_another_is_not_told_beside_it() -> None:
    """The checklist is not complete because the support contact is missing: the second is the reason."""
    support = row(RowState.NOT_MET, "list/support", "Nobody has attested it.")
    listed = row(RowState.NOT_MET, "a/list", "3 of the 4 rows are settled; not met: list/support.")
    reasons = Seen(plan=(listed, support)).judged().reasons
    assert [one.partition(",")[0] for one in reasons] == ["list/support"]


def test_rows_that_follow_from_others_are_told_last() -> None:
    open_row = row(RowState.NOT_OBSERVED, "b/1", "Nobody looked.")
    listed = row(RowState.UNDECIDED, "a/list", "3 of the 4 rows are settled; missing: b/1.")
    judged = Seen(plan=(listed, open_row), required=("a/list", "b/1")).judged()
    assert [one.partition(",")[0] for one in judged.reasons] == ["b/1", "a/list"]


def test_a_level_and_those_of_its_parts_are_told_as_one() -> None:
    """For a reader who decides: not the same five words six times."""
    names = ("webhook latency p95", "webhook latency p95, hotmart", "webhook latency p95, kiwify", "success rate")
    judged = Seen(slo=tuple(replace(SLO, name=one, met=True) for one in names)).judged()
    assert "4 service levels were met: webhook latency p95 (all, hotmart, kiwify), success rate." in judged.reasons


SAID = "the plan asks for 202; yours answers 200, which every vendor takes"


def test_a_concern_is_no_red_and_no_plain_go() -> None:
    """Told once, with those that raised it, however many they are; its row is counted as not met."""
    raised = [replace(KEPT, id=f"G-{n}", concerns=(Concern(sentence=SAID, rows=("a/1",)),)) for n in range(5)]
    judged = Seen(scenarios=tuple(raised), plan=(replace(MET, state=RowState.NOT_MET, evidence=(SAID,)),)).judged()
    assert (judged.verdict, judged.exit_code) == (Verdict.GO_WITH_CONCERNS, 0)
    assert judged.reasons == (f"{SAID}. (G-0, G-1, G-2 and 2 more)",)
    assert judged.headline == (
        "GO WITH CONCERNS: 1 of 1 rows of the launch plan were observed, all but 1 of them met; 1 concern"
    )


def test_a_concern_excuses_nothing_else() -> None:
    """A broken promise is NO GO, a row of another scenario that is not met too, and what is unknown stays unknown."""
    raised = replace(KEPT, concerns=(Concern(sentence=SAID, rows=("a/1",)),))
    other = replace(MET, id="a/2", state=RowState.NOT_MET)
    assert Seen(scenarios=(raised, BROKEN)).judged().verdict is Verdict.NO_GO
    assert Seen(scenarios=(raised,), plan=(MET, other)).judged().verdict is Verdict.NO_GO
    assert Seen(scenarios=(raised,), required=("a/3",)).judged().verdict is Verdict.INCONCLUSIVE
    assert Seen(scenarios=(raised, OURS)).judged().verdict is None
