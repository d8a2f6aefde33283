"""What `golive readiness` judges by, and how: which runs, which commit, which rows, which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from harness.checks.verdict import Judgement, decide
from harness.cli import common
from harness.cli.cmd_report import load_run
from harness.errors import UsageError
from harness.readiness import attestations, basis, evidence, missing, qa_gate, qa_sources, rows
from harness.readiness.attestations import Attestations
from harness.readiness.benchmarks import Evidence
from harness.readiness.evidence import Found
from harness.readiness.plan import Row
from harness.readiness.rows import Observation
from harness.records import PlanRow, RowState, RunRecord, TargetInfo, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a verdict is made from."""

    basis: basis.Basis
    commit: str
    """The one to be launched; where nobody has said it, the one that ran."""
    found: tuple[Found, ...] = ()
    said: Attestations | None = None
    command: str = ""
    """What asks the same again."""


def runs_named(names: Sequence[str]) -> list[RunRecord]:
    """The runs that were named.

    Raises:
        UsageError: there is no such run, it is a readiness report, or they are of different targets.
    """
    runs = [load_run(name)[0] for name in names]
    for name, run in zip(names, runs, strict=True):
        if run.kind == "readiness":
            raise UsageError(f"{name} is a readiness report, and saw nothing itself. Name the run that it judged.")
    targets = sorted({run.target.name for run in runs})
    if len(targets) > 1:
        raise UsageError(f"These runs are of different targets: {', '.join(targets)}. A launch has one.")
    return runs


def newest(*, or_none: bool = False) -> list[RunRecord]:
    """The newest run and the newest load of the same target; with `or_none` an empty record will do.

    Raises:
        UsageError: there is neither.
    """
    found: dict[str, RunRecord] = {}
    for folder in sorted((one for one in common.OUT.glob("2*") if (one / "report.json").exists()), reverse=True):
        try:
            record, _ = load_run(folder.name)
        except UsageError:
            continue  # written by another golive
        same = not found or record.target.name == next(iter(found.values())).target.name
        if record.kind in ("run", "load") and record.kind not in found and same:
            found[record.kind] = record
        if len(found) == 2:
            break
    if not found and or_none:
        return []
    if not found:
        raise UsageError("There is no run yet to judge by. Begin with `golive run`.")
    return [found[kind] for kind in ("run", "load") if kind in found]


def rest_on(runs: Sequence[RunRecord], *, commit: str, now: datetime, max_age_days: float) -> basis.Basis:
    """Those of the runs that count; where nothing ran at all, that is the doubt."""
    if runs:
        return basis.rest_on(runs, commit=commit, now=now, max_age_days=max_age_days)
    return basis.Basis(record=_nothing_ran(), doubts=("Nothing was run yet: begin with `golive run`.",))


def _nothing_ran() -> RunRecord:
    """Stands for the run where there is none: nothing is known from it."""
    now = common.wall_clock_iso()
    return RunRecord(
        run_id="no run",
        kind="run",
        seed=0,
        target=TargetInfo(name="unknown", commit="unknown"),
        clock_origin=now,
        started_at=now,
        duration_s=0.0,
        machine=common.machine_here(),
        command="golive run",
        verdict=None,
        exit_code=3,
        headline="",
    )


def judge(case: Case, run_id: str) -> RunRecord:
    """The launch's verdict, with a row for every line of the plan."""
    seen, plan = case.basis.record, rows.load()
    stories, checklist = _rows(case, case.said)
    every = (*stories, *checklist)
    judged = _decide(case, every)
    headline, next_steps = judged.headline, judged.next_steps
    if case.said is not None and judged.verdict is Verdict.NO_GO:
        seen_alone = _decide(case, tuple(row for part in _rows(case, None) for row in part))
        if seen_alone.verdict is not Verdict.NO_GO:
            # Nothing was seen broken: people are missing, which is another thing to do something about.
            headline = missing.headline(plan, every)
            next_steps = missing.steps(plan, every)
    return replace(
        seen,
        run_id=run_id,
        kind="readiness",
        target=replace(seen.target, commit=case.commit),
        started_at=common.wall_clock_iso(),
        command=case.command,
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=headline,
        reasons=_with_doubts(judged, case.basis.doubts),
        not_observed=judged.not_observed,
        next_steps=next_steps,
        stories=stories,
        checklist=checklist,
    )


def _with_doubts(judged: Judgement, doubts: Sequence[str]) -> tuple[str, ...]:
    """A run that does not count is said first, whatever else is the matter: without it, nobody understands the rest.

    That nobody named the commit is no reason for a NO GO, so there it comes last.
    """
    last = [one for one in doubts if one == basis.NO_COMMIT and judged.verdict is Verdict.NO_GO]
    first = [one for one in doubts if one not in last]
    return (*first, *(one for one in judged.reasons if one not in doubts), *last)


def _rows(case: Case, said: Attestations | None) -> tuple[tuple[PlanRow, ...], tuple[PlanRow, ...]]:
    by_row = evidence.by_row(case.found)

    def known(row: Row, run: Observation) -> Observation:
        return evidence.settle(row, basis.told(row, run, case.basis.doubts), found=by_row)

    seen = case.basis.record
    return rows.judge(
        rows.load(),
        seen.scenarios,
        seen.slo,
        reproduce=seen.command,
        benchmarks=_benchmarks(case),
        settle=attestations.settler(known, said),
    )


def _benchmarks(case: Case) -> Mapping[str, Evidence]:
    """Those of the commit to be launched, which a run's record writes shorter than `--commit` does."""
    ran = case.basis.record.target
    commit = ran.commit if qa_sources.same_commit(ran.commit, case.commit) else case.commit
    return common.benchmarks_of(replace(ran, commit=commit))


def _decide(case: Case, plan: Sequence[PlanRow]) -> Judgement:
    seen = case.basis.record
    return decide(
        harness_errors=seen.harness_errors,
        broken=seen.broken,
        scenarios=seen.scenarios,
        ledger=seen.ledger,
        privacy=seen.privacy,
        slo=seen.slo,
        plan=plan,
        required={row.id for row in plan if row.state is not RowState.OUT_OF_SCOPE},
        options=common.options_of(seen),
        doubts=case.basis.doubts,
    )


def with_qa(case: Case, folder: Path) -> tuple[Case, qa_gate.Gate]:
    """The case with what the QA gate's folder adds to it, and the gate."""
    sources = qa_sources.read(folder, case.commit)
    every = [*case.found, *sources.found]
    seen = case.basis.record
    regressions = qa_gate.regressions(seen.scenarios)
    if regressions:
        every.append(regressions)
    widened = replace(case, found=tuple(every))
    before = [row for part in _rows(widened, case.said) for row in part]
    gate = qa_gate.judge(before, sources.concerns, _benchmarks(case))
    return replace(widened, found=(*every, gate.found)), gate
