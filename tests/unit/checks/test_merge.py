"""Parts of a run become one run; what is missing is missed, and what does not belong together is not put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.checks.merge import merge
from harness.checks.verdict import decide, required_of
from harness.errors import UsageError
from harness.readiness import rows
from harness.records import (
    Ledger,
    Planned,
    PrivacyResult,
    RowState,
    RunRecord,
    ScenarioResult,
    ShardInfo,
    TargetInfo,
    Verdict,
)
from tests.rows import each_row

ROW = "011.4a/hmac"
PLANNED = tuple(
    Planned(id=name, title=f"Promise {name}.", suite="gateways", proves=(ROW,), shard=shard)
    for name, shard in (("G-01[hotmart-plan]", 1), ("G-03[hotmart-plan]", 2), ("G-04[hotmart-plan]", 2))
)


def result(planned: Planned, **changes: Any) -> ScenarioResult:
    told = ScenarioResult(
        id=planned.id,
        title=planned.title,
        story="011.4a",
        criterion="hmac",
        proves=planned.proves,
        suite=planned.suite,
        outcome="passed",
        duration_s=0.1,
        ledger=Ledger(deliveries=1, accepted=1, delivered=1),
    )
    return replace(told, **changes)


def part(index: int, **changes: Any) -> RunRecord:
    """A part in which everything that was planned for it was kept."""
    record = RunRecord(
        run_id=f"run-{index}",
        kind="run",
        seed=7,
        target=TargetInfo(name="shop", commit="1a2b3c"),
        clock_origin="2026-03-01T12:00:00Z",
        started_at="2026-03-01T12:00:00Z",
        duration_s=1.0,
        machine="a machine",
        command=f"golive run --seed 7 --at 2026-03-01T12:00:00Z --shard {index}/2",
        verdict=Verdict.GO,
        exit_code=0,
        headline="GO",
        scenarios=tuple(result(one) for one in PLANNED if one.shard == index),
        privacy=PrivacyResult(canaries=10, places=("log web.log",)),
        shard=ShardInfo(index=index, count=2, selection="-k G", planned=PLANNED),
    )
    return replace(record, **changes)


def verdict_of(*records: RunRecord) -> Verdict | None:
    merged = merge(records)
    stories, checklist = rows.judge(rows.load(), merged.scenarios, ())
    return decide(
        harness_errors=merged.harness_errors,
        broken=merged.broken,
        scenarios=merged.scenarios,
        ledger=sum((one.ledger for one in merged.scenarios), Ledger()),
        privacy=merged.privacy,
        plan=(*stories, *checklist),
        required=required_of(merged.scenarios),
    ).verdict


def test_all_parts_are_the_whole_run() -> None:
    """In whatever order they come."""
    merged = merge([part(2), part(1)])
    assert {one.id for one in merged.scenarios} == {one.id for one in PLANNED}
    assert (merged.missing, merged.privacy.canaries, merged.privacy.places) == ((), 20, ("log web.log",))
    assert verdict_of(part(2), part(1)) is Verdict.GO


@each_row("index", [1, 2])
def test_a_missing_part_was_not_observed(index: int) -> None:
    """Half a run is never GO: what it should have seen stands in it as skipped, with the reason."""
    merged = merge([part(index)])
    unseen = [one for one in merged.scenarios if one.outcome == "skipped"]
    assert {one.id for one in unseen} == {one.id for one in PLANNED if one.shard != index}
    assert {one.message for one in unseen} == {f"not observed: part {3 - index} of 2 is missing"}
    assert verdict_of(part(index)) is Verdict.INCONCLUSIVE


def test_a_part_that_ended_early_was_not_observed_either() -> None:
    """`-x`, a crash: what it had planned and did not tell of is missed."""
    assert verdict_of(part(1), part(2, scenarios=part(2).scenarios[:1])) is Verdict.INCONCLUSIVE


def test_what_meant_nothing_for_its_vendor_is_not_missed() -> None:
    short = part(2, scenarios=part(2).scenarios[:1])
    assert short.shard is not None
    told = replace(short.shard, not_applicable=("G-04[hotmart-plan]",))
    assert verdict_of(part(1), replace(short, shard=told)) is Verdict.GO


@each_row(
    ("changes", "verdict"),
    [
        ({"broken": ("web died",)}, Verdict.NO_GO),
        ({"harness_errors": ("the fake died",)}, None),
        ({"privacy": PrivacyResult(leaks=("log web.log: e-mail",))}, Verdict.NO_GO),
        ({"scenarios": (result(PLANNED[1], outcome="failed", blame="target"),)}, Verdict.NO_GO),
    ],
)
def test_what_one_part_has_seen_all_have(changes: dict[str, Any], verdict: Verdict | None) -> None:
    """Red anywhere is red; whose part it was is told."""
    assert verdict_of(part(1), part(2, **changes)) is verdict


def test_it_says_whose_part_it_was() -> None:
    assert merge([part(1), part(2, broken=("web died.",))]).broken == ("web died (part 2)",)


@each_row(
    ("records", "told"),
    [
        ([], "Nothing to merge"),
        ([part(1, shard=None)], "no part of a run"),
        ([part(1), part(1)], "Part 1 was given twice"),
        ([part(1), part(2, seed=8)], "another seed: 7 and 8"),
        ([part(1), part(2, target=TargetInfo(name="shop", commit="ffff"))], "another commit"),
        ([part(1), part(2, target=TargetInfo(name="other", commit="1a2b3c"))], "another target"),
        ([part(1), part(2, shard=replace(part(2).shard, count=3))], "another number of parts"),  # type: ignore[type-var]
        ([part(1), part(2, shard=replace(part(2).shard, selection=""))], "another selection"),  # type: ignore[type-var]
        ([part(1), part(2, shard=replace(part(2).shard, planned=PLANNED[:2]))], "list of scenarios"),  # type: ignore[type-var]
    ],
)
def test_what_does_not_belong_together_is_refused(records: list[RunRecord], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        merge(records)


def test_a_part_is_read_as_it_was_written() -> None:
    import json

    assert RunRecord.from_json(json.loads(json.dumps(part(1).to_json()))) == part(1)


def test_what_the_target_file_leaves_out_is_not_required() -> None:
    """And what should have been seen and was not still is, even of the same row."""
    kept, out = result(PLANNED[0]), replace(result(PLANNED[1]), outcome="skipped")
    undeclared = replace(out, message="not observable: the target file names no probes.database_url")
    unseen = replace(out, id="G-04", message="not observed: the clock did not follow")
    assert required_of([kept]) == {ROW}
    assert required_of([kept, undeclared]) == frozenset()
    assert required_of([kept, undeclared, unseen]) == {ROW}
    stories, checklist = rows.judge(rows.load(), [kept, undeclared], ())
    row = next(one for one in (*stories, *checklist) if one.id == ROW)
    assert row.state is RowState.UNDECIDED, "a part of a row is not the row"
