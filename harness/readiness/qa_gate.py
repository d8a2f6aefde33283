"""The QA gate (011.3): seven checks of story 009, and one word. Pure: judged rows in, verdict out.

PASS: all seven were seen and are met. CONCERNS: so, but something was attested or is worth a word. WAIVED: what is
not met or not known is waived. FAIL: everything else; what nobody has seen is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from harness.readiness.benchmarks import Evidence
from harness.readiness.evidence import Found
from harness.readiness.rows import number
from harness.records import PlanRow, RowState, ScenarioResult

ROW = "011.3/verdict"

_PERFORMANCE = ("011.3/performance",)

#: The seven checks, and the rows of the plan that each consists of.
CHECKS: Mapping[str, tuple[str, ...]] = {
    "code review (DI, retry, circuit breaker)": ("011.3/di", "011.3/retry", "011.3/breaker"),
    "unit tests and coverage": ("011.3/unit-tests", "011.3/coverage"),
    "acceptance criteria 9/9": ("011.3/criteria",),
    "no regressions (dashboard queries)": ("011.3/regressions",),
    "performance p95 < 2 s per event": _PERFORMANCE,
    "security (scan, dedupe logic, no timing issue)": ("011.3/security", "011.3/scan"),
    "documentation and runbooks": ("011.3/documentation",),
}
_WORST_FIRST = (
    RowState.NOT_MET,
    RowState.NOT_OBSERVED,
    RowState.UNDECIDED,
    RowState.WAIVED,
    RowState.ATTESTED,
    RowState.MET,
)
Word = Literal["PASS", "CONCERNS", "FAIL", "WAIVED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the seven."""

    title: str
    state: RowState
    """The worst of its rows."""
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate's word, and why."""

    verdict: Word
    checks: tuple[Check, ...]
    concerns: tuple[str, ...]

    @property
    def found(self) -> Found:
        """The row that says that the gate passed."""
        said = f"{self.verdict}: {self.summary}."
        if self.verdict in ("PASS", "CONCERNS"):
            return Found(row=ROW, state=RowState.MET, evidence=said)
        if self.verdict == "WAIVED":
            return Found(row=ROW, state=RowState.WAIVED, evidence=said)
        broken = any(one.state is RowState.NOT_MET for one in self.checks)
        return Found(row=ROW, state=RowState.NOT_MET if broken else RowState.NOT_OBSERVED, evidence=said)

    @property
    def summary(self) -> str:
        """In words."""
        good = sum(one.state in (RowState.MET, RowState.ATTESTED) for one in self.checks)
        rest = [
            f"{one.title}: {one.state.value.replace('_', ' ')}"
            for one in self.checks
            if one.state not in (RowState.MET, RowState.ATTESTED)
        ]
        return "; ".join([f"{good} of {len(self.checks)} checks", *rest, *self.concerns])


def judge(
    rows: Sequence[PlanRow], concerns: Sequence[str] = (), benchmarks: Mapping[str, Evidence] = MappingProxyType({})
) -> Gate:
    """Judge the seven checks from what is known of their rows; a row that is not there was not observed.

    `benchmarks` are told beside the check of performance: one that is over its target breaks it, one that is under it
    does not stand for the load that the check asks for.
    """
    known = {row.id: row for row in rows}
    checks = []
    for title, names in CHECKS.items():
        states = {known[name].state if name in known else RowState.NOT_OBSERVED for name in names}
        evidence = tuple(f"{name}: {said}" for name in names if name in known for said in known[name].evidence[:2])
        if names == _PERFORMANCE:
            evidence += tuple(_told(name, one) for name, one in sorted(benchmarks.items()))
            if any(one.number is not None and one.number.met is False for one in benchmarks.values()):
                states.add(RowState.NOT_MET)
        state = next((one for one in _WORST_FIRST if one in states), RowState.NOT_OBSERVED)
        checks.append(Check(title=title, state=state, evidence=evidence))
    attested = tuple(f"{one.title} is attested, not measured" for one in checks if one.state is RowState.ATTESTED)
    told = (*concerns, *attested)
    return Gate(verdict=_word({one.state for one in checks}, told), checks=tuple(checks), concerns=told)


def _told(name: str, one: Evidence) -> str:
    if one.number is None:
        return f"benchmark {name}: {one.told}"
    word = {True: "met", False: "not met", None: "undecided"}[one.number.met]
    return f"benchmark {name}: {number(one.number)}, {word}. {one.told}"


def _word(states: set[RowState], concerns: Sequence[str]) -> Word:
    if states & {RowState.NOT_MET, RowState.NOT_OBSERVED, RowState.UNDECIDED}:
        return "FAIL"
    if RowState.WAIVED in states:
        return "WAIVED"
    return "CONCERNS" if concerns else "PASS"


def regressions(scenarios: Sequence[ScenarioResult]) -> Found | None:
    """Whether the dashboard's queries still tell the truth: the scenarios of the suite `analytics`, all of them."""
    mine = [one for one in scenarios if one.suite == "analytics"]
    if not mine:
        return None
    failed = [one.id for one in mine if one.outcome == "failed" and one.blame != "harness"]
    passed = sum(one.outcome == "passed" for one in mine)
    said = f"{passed} of {len(mine)} scenarios of the suite analytics passed"
    state = RowState.NOT_MET if failed else RowState.MET if passed == len(mine) else RowState.UNDECIDED
    names = f"; failed: {', '.join(failed[:5])}" if failed else ""
    return Found(
        row="011.3/regressions", state=state, evidence=f"{said}{names}.", reproduce="golive run --suite analytics"
    )
