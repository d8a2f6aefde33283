"""What a run knows of each line of the launch plan. Pure: scenarios and numbers in, rows out.

A row is met when something that can see it looked and everything that looked agreed. One failure is enough for *not
met*. Part of it seen is *undecided*; nothing seen is *not observed*, and says who can supply it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from harness.errors import HarnessError
from harness.readiness.benchmarks import Evidence
from harness.readiness.plan import Plan, Row, load
from harness.records import LeftOut, PlanRow, RowState, ScenarioResult, SloResult, figure

__all__ = ["Observation", "expand", "judge", "load", "required_by"]

#: `gateway/hmac` stands for the row of whatever gateway a scenario is run for.
TEMPLATE = "gateway/"

_SHOWN = 8
_SETTLED = (RowState.MET, RowState.ATTESTED, RowState.WAIVED, RowState.OUT_OF_SCOPE)
_Seen = tuple[RowState, tuple[str, ...], str]
"""State, evidence, and the command that repeats it."""


class Observation(NamedTuple):
    """What is known of one row."""

    state: RowState
    evidence: tuple[str, ...] = ()
    reproduce: str = ""


def expand(claim: str, gateway: str | None) -> tuple[str, ...]:
    """The row ids that a scenario's claim means: `gateway/hmac` is `011.4a/hmac` when it is run for hotmart.

    None for a gateway that the launch plan has no story of: it is tested all the same, and proves no line of the plan.

    Raises:
        HarnessError: there is no such row, a scenario cannot prove it, or the claim needs a gateway and there is none.
    """
    plan = load()
    if claim.startswith(TEMPLATE):
        story = plan.gateways.get(_told(claim, gateway))
        if story is None:
            return ()
        claim = f"{story}/{claim.removeprefix(TEMPLATE)}"
    name = claim
    row = plan.rows.get(name)
    if row is None:
        raise HarnessError(f"No row of the launch plan is called {name!r}.{_nearest(name, plan)}")
    if not row.claimable:
        raise HarnessError(f"A scenario cannot prove {name!r}: {_seen_by(row)}. Let it claim what it does prove.")
    return (name,)


def _told(claim: str, gateway: str | None) -> str:
    if gateway is None:
        raise HarnessError(
            f"{claim!r} is claimed by a scenario that is not run for each gateway. Name the story instead, "
            f"like {claim.replace('gateway', '011.4c')!r} for Stripe."
        )
    return gateway


def _nearest(name: str, plan: Plan) -> str:
    close = difflib.get_close_matches(name, plan.rows, n=1)
    return f" Did you mean {close[0]!r}?" if close else " The rows are in harness/readiness/*.toml."


def _seen_by(row: Row) -> str:
    if row.at_least:
        return "it counts scenarios"
    if row.all_of:
        return "it follows from other rows"
    return f"it is seen by {row.how}" if row.how != "out_of_scope" else f"it is out of scope ({row.reason})"


def required_by(plan: Plan, slo: Sequence[SloResult]) -> frozenset[str]:
    """The rows that a load run has to settle: those that its numbers decide."""
    names = {one.name for one in slo}
    return frozenset(row.id for row in plan.rows.values() if row.how == "load" and row.slo in names)


def judge(
    plan: Plan,
    scenarios: Sequence[ScenarioResult],
    slo: Sequence[SloResult],
    *,
    left_out: Sequence[LeftOut] = (),
    reproduce: str = "",
    benchmarks: Mapping[str, Evidence] = MappingProxyType({}),
    settle: Callable[[Row, Observation], Observation] | None = None,
) -> tuple[tuple[PlanRow, ...], tuple[PlanRow, ...]]:
    """Judge every row: those of the stories, and those of the checklist.

    `left_out` are scenarios that did not run: a row that one of them would prove is not met before they have.
    `reproduce` is the run's own command, given where no scenario has a narrower one. `benchmarks` is what lies ready of
    them (`harness.readiness.benchmarks.read`). `settle` is told what the run knows of a row, and says what is known of
    it with everything else: files, the environment, people.
    """
    seen: dict[str, _Seen] = {}
    known = settle or (lambda _, one: one)
    for row in plan.rows.values():
        if not row.all_of:
            if row.benchmark:
                found = _by_benchmark(row, benchmarks.get(row.benchmark))
            else:
                found = _look(row, scenarios, left_out, slo, reproduce)
            seen[row.id] = known(row, Observation(*found))
    # Some rows follow from rows that follow from others; the plan has no circles (see `_follow`).
    for row in plan.rows.values():
        if row.all_of:
            _follow(row, plan, seen, on_the_way=(), settle=known)
    judged = [_plan_row(row, seen[row.id]) for row in plan.rows.values()]
    return (
        tuple(row for row in judged if not row.id.startswith("checklist/")),
        tuple(row for row in judged if row.id.startswith("checklist/")),
    )


def _plan_row(row: Row, seen: _Seen) -> PlanRow:
    state, evidence, reproduce = seen
    note = (f"Note: {row.note}.",) if row.note else ()
    return PlanRow(
        id=row.id,
        story=row.story,
        story_title=row.story_title,
        text=row.text,
        state=state,
        evidence=(*evidence, *note),
        reproduce=reproduce,
        how=row.how,
    )


def _look(
    row: Row,
    scenarios: Sequence[ScenarioResult],
    left_out: Sequence[LeftOut],
    slo: Sequence[SloResult],
    reproduce: str,
) -> _Seen:
    if row.how == "out_of_scope":
        return RowState.OUT_OF_SCOPE, (f"Out of scope: {row.reason}.",), ""
    if row.how == "load":
        return _by_number(row, slo, reproduce)
    if row.how == "scenario":
        if row.at_least:
            return _by_count(row, scenarios, reproduce)
        return _by_scenarios(row, scenarios, [one for one in left_out if row.id in one.proves], reproduce)
    shown = tuple(f"For comparison: {number(one)}." for one in slo if one.name == row.slo)
    return RowState.NOT_OBSERVED, (f"Can be supplied by {row.who}.", *shown), _asked_by(row)


def _asked_by(row: Row) -> str:
    """The option that lets it be seen, or said."""
    if row.how == "attestation":
        return "golive readiness --attestations FILE"
    ways = {
        "--story": "--story FILE.md",
        "--database-url": "--database-url-env VARIABLE",
        "AWS account": "--aws-profile PROFILE",
        "of the same commit": "--qa FOLDER",
    }
    options = [option for word, option in ways.items() if word in row.who]
    if row.id in ("011.1/image", "011.1/autoscaling"):
        options = ["--aws-profile PROFILE"]
    if not options and row.story == "011.3":
        options = ["--qa FOLDER"]
    return f"golive readiness {options[0] if options else '--attestations FILE'}"


# -- by scenarios --------------------------------------------------------------------------------------------------


def _by_scenarios(row: Row, scenarios: Sequence[ScenarioResult], left_out: Sequence[LeftOut], reproduce: str) -> _Seen:
    claimants = [one for one in scenarios if row.id in one.proves]
    if concerns := sorted({said.sentence for one in claimants for said in one.concerns if row.id in said.rows}):
        by = next(one for one in claimants if any(row.id in said.rows for said in one.concerns))
        return RowState.NOT_MET, tuple(concerns), by.reproduce or reproduce
    not_run = (f"Not run: {_ids(left_out)} ({_suites(left_out)}). `golive run --all` runs all.",) if left_out else ()
    if not claimants and left_out:
        return RowState.NOT_OBSERVED, not_run, "golive run --all"
    if not claimants:
        return RowState.NOT_OBSERVED, ("No scenario of this run looked at it.",), "golive run"
    failed, passed, unclear = _sorted_out(claimants, row.id)
    told = [f"{word}: {_ids(some)}." for word, some in _named(failed, passed, unclear) if some]
    again = (failed or passed or unclear)[0].reproduce or reproduce
    if failed:
        return RowState.NOT_MET, tuple(told), again
    if passed and not unclear:
        return (RowState.UNDECIDED if left_out else RowState.MET), (*told, *not_run), again
    told += sorted({one.message.splitlines()[0] for one in unclear if one.message})[:3]
    ended = passed or any(one.outcome != "skipped" for one in unclear)
    return (RowState.UNDECIDED if ended else RowState.NOT_OBSERVED), tuple(told), again


def _by_count(row: Row, scenarios: Sequence[ScenarioResult], reproduce: str) -> _Seen:
    """Different scenarios, not variants: two dialects of one promise are one scenario."""
    of_story = [one for one in scenarios if any(name.startswith(f"{row.story}/") for name in one.proves)]
    failed, passed, unclear = _sorted_out(of_story)
    proven = {_base(one) for one in passed} - {_base(one) for one in (*failed, *unclear)}
    told = f"{len(proven)} of at least {row.at_least} different scenarios passed for this gateway."
    if failed:
        return RowState.NOT_MET, (told, f"Failed: {_ids(failed)}."), failed[0].reproduce or reproduce
    if len(proven) >= row.at_least:
        return RowState.MET, (told, f"Passed: {', '.join(sorted(proven))}."), reproduce
    return (RowState.UNDECIDED if proven else RowState.NOT_OBSERVED), (told,), "golive run"


def _sorted_out(
    scenarios: Sequence[ScenarioResult], row: str = ""
) -> tuple[list[ScenarioResult], list[ScenarioResult], list[ScenarioResult]]:
    """Failed, passed, and those that say nothing: skipped, or our own error.

    A red scenario may have kept what it has to say of that row, or have failed before it came to it.
    """
    failed, passed, unclear = [], [], []
    for one in scenarios:
        if one.outcome == "passed" or row in one.kept:
            passed.append(one)
        elif one.outcome == "failed" and one.blame != "harness" and row not in one.unreached:
            failed.append(one)
        else:
            unclear.append(one)
    return failed, passed, unclear


def _named(
    failed: list[ScenarioResult], passed: list[ScenarioResult], unclear: list[ScenarioResult]
) -> tuple[tuple[str, list[ScenarioResult]], ...]:
    return ("Failed", failed), ("Passed", passed), ("Skipped or not carried out", unclear)


def _base(one: ScenarioResult) -> str:
    return one.id.partition("[")[0]


def _suites(left_out: Sequence[LeftOut]) -> str:
    return ", ".join(sorted({one.suite for one in left_out}))


def _ids(scenarios: Sequence[ScenarioResult | LeftOut]) -> str:
    ids = sorted(one.id for one in scenarios)
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


# -- by numbers ----------------------------------------------------------------------------------------------------


def _by_number(row: Row, slo: Sequence[SloResult], reproduce: str) -> _Seen:
    again = "golive load baseline"
    found = next((one for one in slo if row.slo and one.name == row.slo), None)
    if found is None:
        whole = next((one for one in slo if row.slo.startswith(f"{one.name}, ")), None)
        if whole is None or whole.measured is None:
            return RowState.NOT_OBSERVED, ("No load run has measured it.",), again
        return RowState.UNDECIDED, (f"Measured over all gateways together only: {number(whole)}.",), again
    if found.measured is None and found.met is None:
        return RowState.NOT_OBSERVED, (found.note or "No load run has measured it.",), again
    if row.measured:
        known = found.ci95 is not None
        return (RowState.MET if known else RowState.UNDECIDED), (f"{number(found)}.",), reproduce or again
    state = {True: RowState.MET, False: RowState.NOT_MET, None: RowState.UNDECIDED}[found.met]
    return state, (f"{number(found)}.",), reproduce or again


def _by_benchmark(row: Row, found: Evidence | None) -> _Seen:
    if found is None or found.number is None:
        told = found.told if found else "Its benchmark has not run here."
        return RowState.NOT_OBSERVED, (told,), row.who
    state = {True: RowState.MET, False: RowState.NOT_MET, None: RowState.UNDECIDED}[found.number.met]
    return state, (f"{number(found.number)}.", found.told), row.who


def number(one: SloResult) -> str:
    """A number with its interval, samples and target, in one line."""
    note = f" ({one.note})" if one.note else ""
    return f"{one.name}: {one.told or 'no value'}, target {figure(one.target)} {one.unit}{note}"


# -- by other rows -------------------------------------------------------------------------------------------------


def _follow(
    row: Row,
    plan: Plan,
    seen: dict[str, _Seen],
    *,
    on_the_way: tuple[str, ...],
    settle: Callable[[Row, Observation], Observation],
) -> None:
    """Settle a row that follows from others, those first.

    Raises:
        HarnessError: the plan goes round in a circle.
    """
    if row.id in seen:
        return
    if row.id in on_the_way:
        raise HarnessError(f"The launch plan goes round in a circle: {' → '.join((*on_the_way, row.id))}.")
    for name in row.all_of:
        if name not in seen:
            _follow(plan.rows[name], plan, seen, on_the_way=(*on_the_way, row.id), settle=settle)
    seen[row.id] = settle(row, Observation(*_from_members(row, seen)))


def _from_members(row: Row, seen: Mapping[str, _Seen]) -> _Seen:
    states = {name: seen[name][0] for name in row.all_of}
    settled = [name for name, state in states.items() if state in _SETTLED]
    told = f"{len(settled)} of the {len(states)} rows that it follows from are settled"
    broken = [name for name, state in states.items() if state is RowState.NOT_MET]
    if broken:
        return RowState.NOT_MET, (f"{told}; not met: {', '.join(broken[:_SHOWN])}.",), seen[broken[0]][2]
    missing = [name for name in states if name not in settled]
    if not missing:
        return RowState.MET, (f"{told}.",), seen[row.all_of[0]][2]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    touched = settled or any(states[name] is RowState.UNDECIDED for name in missing)
    state = RowState.UNDECIDED if touched else RowState.NOT_OBSERVED
    return state, (f"{told}; missing: {', '.join(missing[:3])}{more}.",), seen[missing[0]][2]
