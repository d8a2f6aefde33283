"""Better or worse only beyond noise; what one run alone has looked at is neither."""

from dataclasses import replace
from typing import Any

from harness.checks.compare import compare
from harness.records import (
    Ledger,
    PlanRow,
    PrivacyResult,
    RowState,
    RunRecord,
    ScenarioResult,
    SloResult,
    TargetInfo,
    Verdict,
)
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
)
P95 = SloResult(
    name="webhook latency p95", target=200, unit="ms", measured=150.0, samples=2_000, ci95=(140, 160), met=True
)
DEPTH = SloResult(name="DLQ depth", target=50, unit="events", measured=3.0, samples=9, ci95=None, met=True)
RATE = SloResult(name="success rate", target=99, unit="%", measured=99.5, samples=2_000, ci95=(99.2, 99.7), met=True)
ROW = PlanRow(id="a/1", story="a", text="it answers 202", state=RowState.MET)
RUN = RunRecord(
    run_id="older",
    kind="run",
    seed=1,
    target=TargetInfo(name="mine", commit="c"),
    clock_origin="2026-03-01T12:00:00Z",
    started_at="2026-03-01T12:00:00Z",
    duration_s=1.0,
    machine="a machine",
    command="golive run",
    verdict=Verdict.GO,
    exit_code=0,
    headline="GO",
    scenarios=(KEPT,),
    ledger=Ledger(deliveries=1, accepted=1, delivered=1),
    privacy=PrivacyResult(canaries=1, places=("a log",)),
    slo=(P95, DEPTH, RATE),
    alarms=({"name": "dlq", "fires": True, "silent": True, "once": None, "resolves": True, "minutes_to_page": 1.0},),
    saboteurs={"caught": 9, "total": 10},
    stories=(ROW,),
)


def outcome(word: Any, **more: Any) -> RunRecord:
    return replace(RUN, scenarios=(replace(KEPT, outcome=word, **more),))


def number(one: SloResult, measured: float, low: float, high: float) -> RunRecord:
    return replace(RUN, slo=(replace(one, measured=measured, ci95=(low, high)),))


def test_a_run_is_no_different_from_itself() -> None:
    found = compare(RUN, RUN)
    assert (found.changes, found.notes) == ((), ())


WORSE = [
    (replace(RUN, verdict=Verdict.INCONCLUSIVE), "The verdict is INCONCLUSIVE, and was GO."),
    (replace(RUN, ledger=replace(RUN.ledger, delivered=0, lost=1)), "1 conversions are lost, and 0 were."),
    (replace(RUN, privacy=replace(RUN.privacy, leaks=("x",))), "Personal data leaks in 1 places, and did in 0."),
    (replace(RUN, broken=("web died",)), "1 promises outside of scenarios are broken, and 0 were."),
    (replace(RUN, saboteurs={"caught": 9, "total": 11}), "9 of 11 saboteurs are caught, and 9 of 10 were."),
    (
        outcome("failed", message="wanted 1\nmore"),
        "S-01 (A purchase reaches Meta once) is broken, and was kept. wanted 1",
    ),
    (outcome("skipped"), "is not observed, and was kept."),
    (outcome("error"), "is not carried out, and was kept."),
    (
        number(P95, 190, 161, 195),
        "webhook latency p95 is 190 ms, 95 % interval 161 to 195 ms, over 2,000 samples, met, and was 150 ms",
    ),
    (number(RATE, 99.05, 99.01, 99.1), "success rate is 99.05 %"),
    (
        replace(RUN, slo=(replace(DEPTH, measured=60.0, met=False),)),
        "DLQ depth is 60 events, over 9 samples, refuted, and was 3 events, over 9 samples, met",
    ),
    (replace(RUN, alarms=({**RUN.alarms[0], "silent": False},)), "The alarm dlq: “silent” is broken, and was kept."),
    (replace(RUN, stories=(replace(ROW, state=RowState.NOT_MET),)), "a/1, “it answers 202”, is not met, and was met."),
    (replace(RUN, stories=(replace(ROW, state=RowState.NOT_OBSERVED),)), "is not observed, and was met."),
]


@each_row(("changed", "words"), WORSE)
def test_worse_one_way_is_better_the_other(changed: RunRecord, words: str) -> None:
    found = compare(RUN, changed)
    assert len(found.worse) == len(found.regressions) == 1
    assert words in found.worse[0]
    back = compare(changed, RUN)
    assert (len(back.better), back.worse, back.regressions) == (1, (), ())


@each_row(
    "changed",
    [
        number(P95, 165, 159.9, 170),  # the intervals overlap
        number(P95, 160, 160, 160),  # and touch
        replace(
            RUN, slo=(replace(DEPTH, measured=40.0),)
        ),  # on the same side of its target, and nobody knows its noise
        replace(RUN, slo=(replace(DEPTH, measured=60.0, met=False, target=40),)),  # under another target
        replace(RUN, slo=()),  # not measured
        replace(RUN, slo=(replace(P95, measured=None, ci95=None, met=None),)),
        replace(RUN, slo=(replace(P95, unit="s"),)),
        replace(RUN, alarms=({**RUN.alarms[0], "once": False},)),  # nobody had looked before
        replace(RUN, saboteurs={"caught": 0, "total": 0}),
        replace(RUN, saboteurs={"caught": 10, "total": 11}),  # one more was built, and caught
        replace(RUN, scenarios=(replace(KEPT, duration_s=9.0),)),  # one scenario's duration says nothing
    ],
)
def test_noise_is_no_difference(changed: RunRecord) -> None:
    assert compare(RUN, changed).changes == ()
    assert compare(changed, RUN).changes == ()


def test_what_only_one_looked_at_is_told_and_not_judged() -> None:
    smaller = replace(RUN, scenarios=(), stories=(replace(ROW, state=RowState.NOT_OBSERVED),))
    found = compare(RUN, smaller)
    assert found.changes == ()
    assert found.notes == ("Only the older run looked at S-01.",)


def test_a_row_that_is_broken_is_worse_whoever_looked() -> None:
    smaller = replace(RUN, scenarios=(), stories=(replace(ROW, state=RowState.NOT_MET),))
    assert len(compare(RUN, smaller).regressions) == 1


def test_a_harness_error_says_nothing_of_the_target() -> None:
    failed = replace(RUN, verdict=None)
    assert compare(RUN, failed).changes == ()
    assert compare(RUN, failed).notes == ("The newer run ended in a harness error, so its verdict says nothing.",)


@each_row(
    ("changed", "note"),
    [
        (replace(RUN, target=TargetInfo(name="other", commit="c")), "different targets: mine and other"),
        (replace(RUN, kind="load"), "different kinds: run and load"),
        (replace(RUN, machine="another"), "different machines"),
    ],
)
def test_what_makes_a_comparison_doubtful_is_said(changed: RunRecord, note: str) -> None:
    assert any(note in one for one in compare(RUN, changed).notes)


def many(factor: float, wobble: float = 0.05) -> RunRecord:
    """Thirty scenarios, each a little longer or shorter by turns."""
    durations = [1.0 + place / 30 for place in range(30)]
    return replace(
        RUN,
        scenarios=tuple(
            replace(KEPT, id=f"S-{place}", duration_s=one * factor * (1 + wobble * (-1) ** place))
            for place, one in enumerate(durations)
        ),
    )


def test_durations_beyond_noise_are_told_and_are_no_regression() -> None:
    found = compare(many(1, wobble=0), many(1.5))
    assert len(found.worse) == 1
    assert "scenarios is slower: 1.5" in found.worse[0]
    assert found.regressions == ()
    assert "faster" in compare(many(1.5), many(1, wobble=0)).better[0]


def test_durations_within_noise_are_not_told() -> None:
    assert compare(many(1, wobble=0), many(1)).changes == ()
    assert compare(many(1, wobble=0), replace(many(3), machine="another")).changes == ()
