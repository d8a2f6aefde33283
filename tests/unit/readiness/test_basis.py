"""A launch rests on a run of a clean tree, of the commit to be launched, that is recent; on no other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from harness.readiness import basis, plan
from harness.readiness.rows import Observation
from harness.records import Ledger, PrivacyResult, RowState, RunRecord, ScenarioResult, SloResult, TargetInfo, Verdict
from tests.rows import each_row

COMMIT = "0123456789ab"
WHOLE = "0123456789abcdef0123456789abcdef01234567"
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEPT = ScenarioResult(
    id="S-01",
    title="A purchase reaches Meta once.",
    story="011.1",
    criterion="202",
    proves=("011.1/202",),
    suite="smoke",
    outcome="passed",
    duration_s=1.0,
)
P95 = SloResult(
    name="webhook latency p95", target=200, unit="ms", measured=90.0, samples=2_000, ci95=(80, 95), met=True
)
RUN = RunRecord(
    run_id="r-1",
    kind="run",
    seed=1,
    target=TargetInfo(name="mine", commit=COMMIT),
    clock_origin="2026-03-01T12:00:00Z",
    started_at="2026-03-10T11:00:00Z",
    duration_s=60.0,
    machine="a machine",
    command="golive run --seed 1",
    verdict=Verdict.GO,
    exit_code=0,
    headline="GO: all met",
    scenarios=(KEPT,),
    ledger=Ledger(deliveries=1, accepted=1, delivered=1),
    privacy=PrivacyResult(canaries=2, places=("a log",)),
)
LOAD = replace(RUN, run_id="l-1", kind="load", scenarios=(), slo=(P95,), command="golive load baseline")


def of(commit: str) -> RunRecord:
    return replace(RUN, target=TargetInfo(name="mine", commit=commit))


def began(ago: timedelta) -> RunRecord:
    return replace(RUN, started_at=f"{NOW - ago:%Y-%m-%dT%H:%M:%SZ}")


@each_row(
    ("run", "commit", "why"),
    [
        (RUN, "", ""),
        (RUN, WHOLE, ""),
        (RUN, COMMIT[:7], ""),
        (of(f"{COMMIT}-dirty"), WHOLE, f"it tested files that differ from commit {COMMIT}: commit them"),
        (of("unknown"), "", "it tested no commit that can be named ('unknown')"),
        (of("unknown"), "unknown", "it tested no commit that can be named"),
        (RUN, "f" * 40, f"it tested commit {COMMIT}, and ffffffffffff is to be launched"),
        (RUN, COMMIT[:6], f"it tested commit {COMMIT}, and {COMMIT[:6]} is to be launched"),
        (began(timedelta(days=14)), WHOLE, ""),
        (began(timedelta(days=14, minutes=2)), WHOLE, "it is 14 days old, and at most 14 days count"),
        (began(timedelta(hours=-2)), WHOLE, "it ended at 2026-03-10 14:01 UTC, which is in the future"),
        (replace(RUN, started_at="yesterday"), WHOLE, "nobody knows when it ended ('yesterday')"),
        (replace(RUN, started_at="2026-03-10T11:00:00"), WHOLE, "nobody knows when it ended"),
    ],
)
def test_which_run_counts(run: RunRecord, commit: str, why: str) -> None:
    told = basis.why_not(run, commit=commit, now=NOW, max_age_days=14)
    assert told.startswith(why)
    assert bool(told) is bool(why)


def test_the_age_is_that_of_its_end_not_of_its_beginning() -> None:
    long = replace(began(timedelta(days=14, minutes=2)), duration_s=600.0)
    assert not basis.why_not(long, commit=COMMIT, now=NOW, max_age_days=14)


def test_what_does_not_count_is_left_out_whole_good_and_bad() -> None:
    """And said; the load beside it counts on."""
    broken = replace(
        of("f" * 12), scenarios=(replace(KEPT, outcome="failed"),), broken=("web died",), verdict=Verdict.NO_GO
    )
    rest = basis.rest_on((broken, LOAD), commit=COMMIT, now=NOW, max_age_days=14)
    assert rest.doubts == (
        f"The run r-1 (NO GO) does not count: it tested commit ffffffffffff, and {COMMIT} is to be launched.",
    )
    assert (rest.record.scenarios, rest.record.broken, rest.record.slo) == ((), (), (P95,))
    assert rest.record.ledger == LOAD.ledger


def test_a_commit_that_nobody_named_is_a_doubt() -> None:
    rest = basis.rest_on((RUN,), commit="", now=NOW, max_age_days=14)
    assert rest.record == RUN
    assert rest.doubts == ("Nobody has said which commit is to be launched: name it with --commit.",)


def test_a_run_and_a_load_are_one_record() -> None:
    record = basis.rest_on((RUN, LOAD), commit=COMMIT, now=NOW, max_age_days=14).record
    assert (record.run_id, record.command) == ("r-1 and l-1", "golive run --seed 1 ; golive load baseline")
    assert record.ledger == Ledger(deliveries=2, accepted=2, delivered=2)
    assert record.privacy == PrivacyResult(canaries=4, places=("a log",))
    assert (record.scenarios, record.slo) == ((KEPT,), (P95,))


def test_the_leaks_of_both_are_kept() -> None:
    """A leak that only the load saw must not be lost beside a clean run."""
    leaking = replace(LOAD, privacy=PrivacyResult(canaries=1, places=("b",), leaks=("b: an email",)))
    assert basis.together((RUN, leaking)).privacy.leaks == ("b: an email",)


@each_row(
    ("row", "state", "first"),
    [
        ("011.1/202", RowState.NOT_OBSERVED, "why"),  # only a run can see it
        ("011.1/202", RowState.NOT_MET, "seen"),  # something that counts has seen it
        ("checklist/infrastructure/rds", RowState.NOT_OBSERVED, "seen"),  # a run cannot
    ],
)
def test_rows_that_only_a_run_can_see_say_first_why_nobody_has(row: str, state: RowState, first: str) -> None:
    told = basis.told(plan.load().rows[row], Observation(state, ("seen",)), ("why",))
    assert (told.state, told.evidence[0]) == (state, first)
