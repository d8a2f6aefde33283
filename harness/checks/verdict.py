"""One word from everything that was seen. Pure.

The order is the rule: a harness error says nothing of the target (exit 2); else anything broken is NO_GO (1); else
anything required and not known is INCONCLUSIVE (3); else waivers and concerns make it GO_WITH_CONCERNS (0); else it
is GO (0).
Unknown is never a pass: nothing required, or nothing observed, is never GO.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.records import (
    Ledger,
    LeftOut,
    PlanRow,
    PrivacyResult,
    RowState,
    ScenarioResult,
    SloResult,
    Verdict,
    figure,
    left_out_suites,
    observed,
)

HARNESS_ERROR_EXIT = 2

#: What settles a row for good.
_SETTLED = (RowState.MET, RowState.ATTESTED, RowState.OUT_OF_SCOPE)
_OPEN = (RowState.NOT_OBSERVED, RowState.UNDECIDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a run record says of itself in one word, and why."""

    verdict: Verdict | None
    """None: a harness error."""
    exit_code: int
    headline: str
    reasons: tuple[str, ...]
    not_observed: tuple[str, ...]
    """`row id: what the plan says`, for every row that nobody has seen or that could not be decided."""
    next_steps: tuple[str, ...]


def decide(
    *,
    harness_errors: Sequence[str] = (),
    broken: Sequence[str] = (),
    scenarios: Sequence[ScenarioResult] = (),
    left_out: Sequence[LeftOut] = (),
    ledger: Ledger,
    privacy: PrivacyResult,
    slo: Sequence[SloResult] = (),
    plan: Sequence[PlanRow] = (),
    required: Collection[str] = (),
    waivers: Mapping[str, str] | None = None,
    options: str = "",
    whole: bool = False,
    unknown: Sequence[str] = (),
    doubts: Sequence[str] = (),
) -> Judgement:
    """Judge a run.

    `broken` are promises broken outside of scenarios (a target process died). `required` are ids of rows that this
    run has to settle; one that the plan does not know counts as not observed. `waivers` maps a row's id to its
    reason: it excuses a row that is not known, never one that is broken. `options` are those that every next command
    needs to be about the same target (` --target mine.toml`); `whole` says that every scenario there is has run.
    `left_out` are scenarios of the long tier that did not run: the headline and the next steps say so.
    `unknown` are sentences about what else this run had to see and could not.
    `doubts` are sentences about what this rests on: with one of them it is never better than INCONCLUSIVE.
    """
    beyond = undeclared_rows(scenarios)
    ours = _harness_errors(harness_errors, scenarios, ledger)
    promises = _broken(broken, scenarios, ledger, privacy) + _refuted(slo)
    not_met = _not_met(slo, plan, scenarios)
    red = promises + not_met
    gaps, waived = _gaps(plan, required, waivers or {})
    concerns = _concerns(scenarios)
    excused = [*waived, *concerns]
    missing = [*doubts, *gaps, *unknown]
    missing += [
        f"{one.id} ({one.title}) was skipped."
        for one in scenarios
        if one.outcome == "skipped" and not one.proves and not one.undeclared
    ]
    if not required and not unknown:
        missing = ["Nothing that ran proves a line of the launch plan, so nothing can be said of it."]
    not_observed = tuple(f"{row.id}: {row.text}" for row in plan if row.state in _OPEN)
    if ours:
        # What was broken is still told: it may be why we failed, but it is no verdict.
        verdict, reasons = None, [*ours, *(f"Seen before that: {one}" for one in red)]
    elif red:
        verdict, reasons = Verdict.NO_GO, red
    elif missing:
        verdict, reasons = Verdict.INCONCLUSIVE, missing
    elif excused:
        verdict, reasons = Verdict.GO_WITH_CONCERNS, excused
    else:
        verdict, reasons = Verdict.GO, _good_reasons(scenarios, ledger, privacy, slo)
    return Judgement(
        verdict=verdict,
        exit_code=verdict.exit_code if verdict else HARNESS_ERROR_EXIT,
        headline=_headline(
            verdict,
            reasons,
            plan,
            required,
            red=_both(len(promises), len(not_met)),
            unknown=_unknown(len(gaps), doubts, missing, required),
            excused=_excused(waived, concerns),
            beyond=len(beyond),
            left_out=left_out,
        ),
        reasons=tuple(reasons),
        not_observed=not_observed,
        next_steps=tuple(_next_steps(verdict, scenarios, plan, required, options, whole=whole, left_out=left_out)),
    )


def undeclared_rows(scenarios: Sequence[ScenarioResult]) -> frozenset[str]:
    """Rows that cannot be settled with this target file, or in part only: something that proves them was left out."""
    return frozenset(row for one in scenarios if one.undeclared for row in one.proves)


def required_of(scenarios: Sequence[ScenarioResult], left_out: Sequence[LeftOut] = ()) -> frozenset[str]:
    """The rows that a run of these scenarios has to settle: what its target file lets golive look at.

    A row that scenarios of the long tier prove too cannot be settled without them.
    A row that is left out in part is still required where something else about it should have been seen and was not.
    """
    claimed = {row for one in scenarios for row in one.proves}
    unseen = {
        row for one in scenarios if one.outcome in ("skipped", "error") and not one.undeclared for row in one.proves
    }
    beyond = {row for one in left_out for row in one.proves}
    return frozenset((claimed - undeclared_rows(scenarios) - beyond) | unseen)


# -- what is wrong -------------------------------------------------------------------------------------------------


def _is_ours(one: ScenarioResult) -> bool:
    return one.outcome == "error" or (one.outcome == "failed" and one.blame == "harness")


def _harness_errors(told: Sequence[str], scenarios: Sequence[ScenarioResult], ledger: Ledger) -> list[str]:
    said = [*told]
    said += [
        f"{one.id} ({one.title}) could not be carried out: {_first_line(one)}" for one in scenarios if _is_ours(one)
    ]
    if not _adds_up(ledger):
        said.append("The ledger's own sums do not add up, so it cannot be believed.")
    return said


def _adds_up(ledger: Ledger) -> bool:
    ends = (ledger.delivered, ledger.dead_lettered, ledger.expired, ledger.suppressed, ledger.held, ledger.pending)
    return (
        ledger.deliveries == ledger.unanswered + ledger.rejected + ledger.accepted
        and ledger.conversions == sum(ends) + ledger.lost
    )


def _broken(
    told: Sequence[str], scenarios: Sequence[ScenarioResult], ledger: Ledger, privacy: PrivacyResult
) -> list[str]:
    """Sentences, each with the promise first, in quotes: a stranger took "an order reaches Meta" for good news."""
    reasons = [_broken_promise(title, found) for title, found in _by_promise(_failed(scenarios)).items()]
    reasons += [_sentence(one[:1].upper() + one[1:]) for one in told]
    reasons += _ledger_reasons(ledger)
    reasons += [f"Broken: “No personal data is written down in plain text.” In {leak}." for leak in privacy.leaks]
    return reasons


def _by_promise(failed: Sequence[ScenarioResult]) -> dict[str, list[ScenarioResult]]:
    """Variants of one promise together: seven lines of one promise would hide the other six promises."""
    found: dict[str, list[ScenarioResult]] = {}
    for one in failed:
        found.setdefault(one.title, []).append(one)
    return found


def _broken_promise(title: str, found: Sequence[ScenarioResult]) -> str:
    others = f" and {len(found) - 1} more case{'' if len(found) == 2 else 's'}" if len(found) > 1 else ""
    return f"Broken: “{_sentence(title)}” In {found[0].id}{others}: {_first_line(found[0])}"


def _failed(scenarios: Sequence[ScenarioResult]) -> list[ScenarioResult]:
    return [one for one in scenarios if one.outcome == "failed" and not _is_ours(one)]


def _refuted(slo: Sequence[SloResult]) -> list[str]:
    refuted = [one for one in slo if one.met is False]
    return [
        f"{one.name} {_against(one)} {figure(one.target)} {one.unit}. Refuted: {_measured(one)}." for one in refuted
    ]


def _not_met(slo: Sequence[SloResult], plan: Sequence[PlanRow], scenarios: Sequence[ScenarioResult]) -> list[str]:
    """Rows that are not met for a reason that stands nowhere else: nobody has attested it, the environment lacks it."""
    failed = _failed(scenarios)
    explained = {row for one in failed for row in one.proves}
    explained |= {row for one in scenarios for said in one.concerns for row in said.rows}
    traces = {*(one.name for one in slo if one.met is False), *(one.id for one in failed)}
    # A row that follows from others names those of them that are not met: they say more than it.
    traces |= {row.id for row in plan if row.state is RowState.NOT_MET}
    return [
        f"{row.id}, “{row.text}”, is not met{': ' + row.evidence[0].removesuffix('.') if row.evidence else ''}."
        for row in plan
        # Saying a thing twice would hide the third reason; what no reason above explains is said.
        if row.state is RowState.NOT_MET
        and row.id not in explained
        and not any(trace in " ".join(row.evidence) for trace in traces - {row.id})
    ]


def _ledger_reasons(ledger: Ledger) -> list[str]:
    said = []
    if ledger.lost:
        said.append(
            f"No accepted conversion is lost. Broken: {_count(ledger.lost, 'was', 'were')} never counted by Meta."
        )
    if ledger.doubled:
        said.append(f"No conversion is counted twice. Broken: {_count(ledger.doubled, 'was', 'were')} counted twice.")
    if ledger.pending:
        said.append(
            f"No accepted conversion gets stuck. Broken: {_count(ledger.pending, 'was', 'were')} still on the way."
        )
    return said


def _gaps(
    plan: Sequence[PlanRow], required: Collection[str], waivers: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Sentences about required rows that are not settled: those that nothing excuses, and those that are waived."""
    missing, excused = [], []
    rows = {row.id: row for row in plan}
    # Rows that follow from others name them; they come last, for whoever sees to the others sees to them.
    for name in sorted(required, key=lambda one: (_follows(rows.get(one), rows), one)):
        row = rows.get(name)
        if row is not None and row.state in (*_SETTLED, RowState.NOT_MET):  # what is not met is said as such
            continue
        words = f"{name}, “{row.text}”" if row else f"{name}, which the launch plan does not know"
        if name in waivers or (row is not None and row.state is RowState.WAIVED):
            reason = waivers.get(name) or (row.evidence[0] if row and row.evidence else "no reason given")
            excused.append(f"{words}, is waived: {reason.removesuffix('.')}.")
        else:
            known = f": {row.evidence[0].removesuffix('.')}" if row and row.evidence else ""
            state = row.state.value.replace("_", " ") if row else "not observed"
            missing.append(f"{words}, is {state}{known}.")
    return missing, excused


def _follows(row: PlanRow | None, rows: Mapping[str, PlanRow]) -> bool:
    told = row.evidence[0] if row and row.evidence else ""
    return "; missing: " in told and any(name in told for name in rows)


# -- words ---------------------------------------------------------------------------------------------------------


def _headline(
    verdict: Verdict | None,
    reasons: Sequence[str],
    plan: Sequence[PlanRow],
    required: Collection[str],
    *,
    red: str,
    unknown: str,
    excused: str,
    beyond: int,
    left_out: Sequence[LeftOut],
) -> str:
    said = _without_left_out(verdict, reasons, plan, required, red=red, unknown=unknown, excused=excused, beyond=beyond)
    return f"{said}; {left_out_words(left_out)}" if left_out and verdict else said


def left_out_words(left_out: Sequence[LeftOut]) -> str:
    """`76 scenarios were not run: recovery (66), monitoring (10)`."""
    return f"{_count(len(left_out), 'was', 'were', 'scenario')} not run: {left_out_suites(left_out)}"


def _without_left_out(
    verdict: Verdict | None,
    reasons: Sequence[str],
    plan: Sequence[PlanRow],
    required: Collection[str],
    *,
    red: str,
    unknown: str,
    excused: str,
    beyond: int,
) -> str:
    in_scope = [row for row in plan if row.state is not RowState.OUT_OF_SCOPE]
    seen, total = observed(plan)
    of_plan = f"{seen} of {total} rows of the launch plan were observed"
    if beyond:
        # A target that shows little must not look like one that has shown all.
        tail = "not, or only in part, to be seen with this target file (`golive doctor` says what to add)"
        of_plan += f", {beyond} more are {tail}"
    if verdict is None:
        return f"HARNESS ERROR: golive itself failed, so nothing can be said of the target. {reasons[0]}"
    if verdict is Verdict.NO_GO:
        return f"NO GO: {red}; {of_plan}"
    if verdict is Verdict.INCONCLUSIVE:
        if not required:
            return f"INCONCLUSIVE: nothing that ran proves a line of the launch plan; {of_plan}"
        return f"INCONCLUSIVE: nothing is broken, but {unknown}; {of_plan}"
    other = sum(row.state is RowState.NOT_MET for row in in_scope)
    met = f"all but {other} of them met" if other else "all of them met"
    all_met = of_plan.replace(" were observed", f" were observed, {met}", 1)
    if undecided := sum(row.state is RowState.UNDECIDED for row in in_scope):
        all_met += f", and {undecided} more {'is' if undecided == 1 else 'are'} undecided"
    if verdict is Verdict.GO_WITH_CONCERNS:
        return f"GO WITH CONCERNS: {all_met}; {excused}"
    return f"GO: {all_met}"


def _both(promises: int, rows: int) -> str:
    """`2 promises are broken, and 3 more rows are not met`: what was tried and failed is another thing than a gap."""
    broken = _count(promises, "is", "are", "promise") + " broken"
    if not rows:
        return broken
    more = " more" if promises else ""
    not_met = f"{rows:,}{more} row{'s are' if rows > 1 else ' is'} not met"
    return f"{broken}, and {not_met}" if promises else not_met


def _unknown(gaps: int, doubts: Sequence[str], missing: Sequence[str], required: Collection[str]) -> str:
    if gaps:
        return f"{gaps} of {len(required)} required rows are not known"
    if doubts:
        return "what it rests on is in doubt"
    return f"{_count(len(missing), 'was', 'were', 'promise')} not looked at"


def _concerns(scenarios: Sequence[ScenarioResult]) -> list[str]:
    """Each once, with the first of the scenarios that raised it."""
    found: dict[str, list[str]] = {}
    for one in scenarios:
        for concern in one.concerns:
            found.setdefault(concern.sentence, []).append(one.id)
    return [f"{_sentence(sentence)} ({_some(sorted(ids))})" for sentence, ids in found.items()]


def _excused(waived: Sequence[str], concerns: Sequence[str]) -> str:
    """`1 required row is waived, and 2 concerns`."""
    said = [f"{_count(len(waived), 'is', 'are', 'required row')} waived"] if waived else []
    said += [_count(len(concerns), "", "", "concern").strip()] if concerns else []
    return ", and ".join(said)


def _good_reasons(
    scenarios: Sequence[ScenarioResult], ledger: Ledger, privacy: PrivacyResult, slo: Sequence[SloResult]
) -> list[str]:
    said = []
    passed = sum(one.outcome == "passed" for one in scenarios)
    if passed:
        said.append(f"Every promise that was tested was kept: {passed} scenarios passed, none failed.")
    if beyond := sum(one.undeclared for one in scenarios):
        said.append(f"{beyond} scenarios were left out: the target file does not let golive see what they look at.")
    if ledger.accepted:
        said.append(
            f"Of {ledger.conversions:,} accepted conversions none is lost, none counted twice, none still on its way."
        )
    if privacy.places:
        hunted = f"{privacy.canaries:,} invented pieces of personal data"
        said.append(f"{hunted} were searched for in {len(privacy.places)} places, and none was found.")
    met = [one for one in slo if one.met]
    if met:
        said.append(f"{_count(len(met), 'was', 'were', 'service level')} met: {_named(met)}.")
    return said


def _named(levels: Sequence[SloResult]) -> str:
    """`webhook latency p95 (all, hotmart, kiwify), success rate`: a level and those of its parts are one word."""
    parts: dict[str, list[str]] = {}
    for one in levels:
        name, _, part = one.name.partition(", ")
        parts.setdefault(name, []).append(part or "all")
    return ", ".join(name if of == ["all"] else f"{name} ({', '.join(of)})" for name, of in parts.items())


#: Broken promises whose command is told; the first mended one often mends the others.
_SHOWN = 3


def _next_steps(
    verdict: Verdict | None,
    scenarios: Sequence[ScenarioResult],
    plan: Sequence[PlanRow],
    required: Collection[str],
    options: str,
    *,
    whole: bool,
    left_out: Sequence[LeftOut],
) -> list[str]:
    if verdict is None:
        return ["Read the end of the log that the error names (logs/ in this run's folder), then run again."]
    if verdict is Verdict.NO_GO:
        failed = [one for one in scenarios if one.outcome == "failed" and one.reproduce]
        red = [found[0] for found in _by_promise(failed).values()]
        steps = [f"See {one.id} fail again: `{one.reproduce}`" for one in red[:_SHOWN]]
        if steps:
            steps[0] = f"Who builds the target mends it, this first. {steps[0]}"
        steps += [f"All {len(red)} promises again: `golive run{options} --last-failed`"] if len(red) > _SHOWN else []
        unseen = sum(row.state is RowState.NOT_OBSERVED for row in plan)
        then = f"; {_count(unseen, 'was', 'were', 'row')} not looked at yet" if unseen else ""
        return [*steps, f"When it is mended: `golive run{options}`{then}"]
    wanted = [row for row in plan if row.state in _OPEN and (verdict is Verdict.GO or row.id in required)]
    if verdict is Verdict.INCONCLUSIVE and not wanted:
        return ["Let the target file name what golive has to look into (docs/contracts.md), and run again."]
    beyond = undeclared_rows(scenarios)
    steps = _how_to_see(wanted, options, whole=whole, beyond=beyond)
    if left_out and not any("--all" in one for one in steps):  # what they look at may be proved by others as well
        steps = [f"Run what was left out: `golive run --all{options}` ({left_out_words(left_out)})", *steps]
    return steps or ["Nothing is left to do for this verdict."]


def _how_to_see(rows: Sequence[PlanRow], options: str, *, whole: bool, beyond: Collection[str]) -> list[str]:
    run_all = f"Run every scenario: `golive run --all{options}`; the target file has to name what it looks into"
    ways = {
        "scenario": "No scenario of this golive looks at these; somebody has to" if whole else run_all,
        "load": f"Measure under load: `golive load baseline{options}`",
        "benchmark": "Run the benchmarks at this commit; `golive readiness` says which",
        "readiness": "Have the environment checked; `golive readiness` says by whom",
        "attestation": "Ask the people who know; `golive readiness` says who",
    }
    steps = []
    if hidden := [row.id for row in rows if row.id in beyond]:
        told = f"Let the target file say more: `golive doctor{options}` says what"
        steps.append(f"{told} ({_count(len(hidden), '', '', 'row').strip()}: {_some(hidden)})")
    for how, words in ways.items():
        of_kind = [row.id for row in rows if row.how == how and row.id not in beyond]
        if of_kind:
            steps.append(f"{words} ({_count(len(of_kind), '', '', 'row').strip()}: {_some(of_kind)})")
    return steps


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def _count(number: int, one: str, many: str, noun: str = "conversion") -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'} {one if number == 1 else many}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _first_line(one: ScenarioResult) -> str:
    return next(iter(one.message.splitlines()), "") or "no reason was given"


def _against(one: SloResult) -> str:
    # A rate has to be over its target, everything else under it.
    return "is over" if one.unit == "%" else "is under"


def _measured(one: SloResult) -> str:
    return f"measured {one.told}" if one.told else "more than 5 % of the requests were never answered"
