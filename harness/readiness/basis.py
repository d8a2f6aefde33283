"""Whether a run may be what a launch rests on: of a clean tree, of the commit to be launched, and recent. Pure.

A run that may not is told, and then left out: what it saw, good or bad, was seen of something else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from harness.readiness.plan import Row
from harness.readiness.qa_sources import same_commit
from harness.readiness.rows import Observation
from harness.records import Ledger, PrivacyResult, RowState, RunRecord, Verdict

#: As for benchmarks: what was measured longer ago says little of today's environment.
OLDEST_DAYS = 14
NO_COMMIT = "Nobody has said which commit is to be launched: name it with --commit."
_AHEAD = timedelta(hours=1)
"""Two machines' clocks may differ by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The runs that a verdict rests on, as one, and what is wrong with the others."""

    record: RunRecord
    doubts: tuple[str, ...]
    """Sentences: why something does not count, or which commit nobody has named."""


def why_not(run: RunRecord, *, commit: str, now: datetime, max_age_days: float) -> str:
    """Why that run says nothing of the launch, without a full stop; empty: it counts.

    `commit` is the one that is to be launched; empty: nobody has said which.
    """
    made = run.target.commit
    if run.target.dirty:
        return f"it tested files that differ from commit {_short(made)}: commit them, and run again"
    if not same_commit(made, made):
        return f"it tested no commit that can be named ({made!r}): run it inside the git checkout"
    if commit and not same_commit(made, commit):
        return f"it tested commit {_short(made)}, and {_short(commit)} is to be launched"
    return _too_old(run, now=now, max_age_days=max_age_days)


def _too_old(run: RunRecord, *, now: datetime, max_age_days: float) -> str:
    ended = run.ended_at
    if ended is None:
        return f"nobody knows when it ended ({run.started_at!r})"
    age = now - ended
    if age < -_AHEAD:
        return f"it ended at {ended:%Y-%m-%d %H:%M} UTC, which is in the future"
    if age > timedelta(days=max_age_days):
        return f"it is {math.floor(age / timedelta(days=1))} days old, and at most {max_age_days:g} days count"
    return ""


def rest_on(runs: Sequence[RunRecord], *, commit: str, now: datetime, max_age_days: float) -> Basis:
    """Those that count, as one record; each of the others leaves a doubt. `runs` is not empty."""
    doubts, counted = [], []
    for run in runs:
        why = why_not(run, commit=commit, now=now, max_age_days=max_age_days)
        if why:
            doubts.append(f"The {run.kind} {run.run_id} ({_ended(run)}) does not count: {why}.")
        counted.append(_without_what_it_saw(run) if why else run)
    if not commit:
        doubts.append(NO_COMMIT)
    return Basis(record=together(counted), doubts=tuple(doubts))


def together(runs: Sequence[RunRecord]) -> RunRecord:
    """Several runs of one target as one record. `runs` is not empty; the first gives what only one can."""
    first = runs[0]
    if len(runs) == 1:
        return first
    return replace(
        first,
        run_id=" and ".join(one.run_id for one in runs),
        command=" ; ".join(one.command for one in runs),
        scenarios=tuple(one for run in runs for one in run.scenarios),
        slo=tuple({one.name: one for run in reversed(runs) for one in run.slo}.values()),
        load=next((one.load for one in runs if one.load), None),
        ledger=sum((one.ledger for one in runs), Ledger()),
        privacy=PrivacyResult(
            canaries=sum(one.privacy.canaries for one in runs),
            places=tuple(dict.fromkeys(place for one in runs for place in one.privacy.places)),
            leaks=tuple(dict.fromkeys(leak for one in runs for leak in one.privacy.leaks)),
        ),
        alarms=next((one.alarms for one in runs if one.alarms), ()),
        saboteurs=next((one.saboteurs for one in runs if one.saboteurs.get("total")), first.saboteurs),
        harness_errors=tuple(error for one in runs for error in one.harness_errors),
        broken=tuple(promise for one in runs for promise in one.broken),
    )


def told(row: Row, known: Observation, doubts: Sequence[str]) -> Observation:
    """A row that only a run can see, and that none that counts has seen, says first why."""
    mine = row.how in ("scenario", "load") and not row.all_of and known.state is RowState.NOT_OBSERVED
    return Observation(known.state, (*doubts, *known.evidence), known.reproduce) if mine and doubts else known


def _without_what_it_saw(run: RunRecord) -> RunRecord:
    return replace(
        run,
        scenarios=(),
        slo=(),
        load=None,
        ledger=Ledger(),
        privacy=PrivacyResult(),
        alarms=(),
        saboteurs={"caught": 0, "total": 0},
        harness_errors=(),
        broken=(),
    )


def _ended(run: RunRecord) -> str:
    return "harness error" if run.verdict is None else {Verdict.NO_GO: "NO GO"}.get(run.verdict, run.verdict.value)


def _short(commit: str) -> str:
    return commit.removesuffix("-dirty")[:12]
