"""A run record, arranged for reading: groups, orders and counts, no words and no markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.records import Outcome, PlanRow, RowState, RunRecord, ScenarioResult, SloResult

#: Worst first: what is red must not be looked for.
_WORST_FIRST: tuple[Outcome, ...] = ("failed", "error", "skipped", "passed")
STATES = tuple(RowState)
NOT_OBSERVED = RowState.NOT_OBSERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise, with the gateways and dialects for which it was tested."""

    id: str
    title: str
    variants: tuple[ScenarioResult, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of its variants."""
        return min((one.outcome for one in self.variants), key=_WORST_FIRST.index)

    @property
    def first(self) -> ScenarioResult:
        """The variant that is worst off: its Given, When and Then speak for all."""
        return min(self.variants, key=lambda one: _WORST_FIRST.index(one.outcome))

    @property
    def duration_s(self) -> float:
        """Of all variants."""
        return sum(one.duration_s for one in self.variants)

    @property
    def proves(self) -> tuple[str, ...]:
        """The rows of all variants."""
        return tuple(dict.fromkeys(row for one in self.variants for row in one.proves))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A group of promises."""

    name: str
    promises: tuple[Promise, ...]

    @property
    def results(self) -> tuple[ScenarioResult, ...]:
        """Every variant of every promise."""
        return tuple(one for promise in self.promises for one in promise.variants)

    @property
    def counts(self) -> Counter[str]:
        """How many variants ended how."""
        return Counter(one.outcome for one in self.results)

    @property
    def duration_s(self) -> float:
        """The sum over its scenarios, which may have run side by side."""
        return sum(one.duration_s for one in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A group of rows of the launch plan."""

    id: str
    title: str
    rows: tuple[PlanRow, ...]

    @property
    def counts(self) -> Counter[RowState]:
        """How many rows are in which state."""
        return Counter(row.state for row in self.rows)

    @property
    def in_scope(self) -> int:
        """Rows that count."""
        return len(self.rows) - self.counts[RowState.OUT_OF_SCOPE]


def promise_id(one: ScenarioResult) -> str:
    """`G-01` of `G-01[hotmart-plan]`."""
    return one.id.partition("[")[0]


def firsts(found: Sequence[ScenarioResult]) -> frozenset[str]:
    """The ids of those that are the first of their promise."""
    return frozenset({promise_id(one): one.id for one in reversed(found)}.values())


def variant(one: ScenarioResult) -> str:
    """`hotmart-plan` of `G-01[hotmart-plan]`; nothing where there is only one."""
    return one.id.partition("[")[2].removesuffix("]")


def suites(record: RunRecord) -> tuple[Suite, ...]:
    """All suites by name, and in them all promises by id, the red ones first."""
    grouped: dict[str, dict[str, list[ScenarioResult]]] = {}
    for one in record.scenarios:
        grouped.setdefault(one.suite or "other", {}).setdefault(promise_id(one), []).append(one)
    return tuple(Suite(name=name, promises=_promises(of_suite)) for name, of_suite in sorted(grouped.items()))


def _promises(grouped: dict[str, list[ScenarioResult]]) -> tuple[Promise, ...]:
    promises = [
        Promise(id=name, title=variants[0].title, variants=tuple(sorted(variants, key=lambda one: one.id)))
        for name, variants in grouped.items()
    ]
    return tuple(sorted(promises, key=lambda one: (_WORST_FIRST.index(one.outcome), one.id)))


def red(record: RunRecord) -> tuple[ScenarioResult, ...]:
    """Broken promises first, then what golive could not carry out."""
    found = [one for one in record.scenarios if one.outcome in ("failed", "error")]
    return tuple(sorted(found, key=lambda one: (_WORST_FIRST.index(one.outcome), one.id)))


def stories(rows: Sequence[PlanRow]) -> tuple[Story, ...]:
    """Rows by story, in the plan's order."""
    grouped: dict[str, list[PlanRow]] = {}
    for row in rows:
        grouped.setdefault(row.story, []).append(row)
    return tuple(Story(id=name, title=of[0].story_title or name, rows=tuple(of)) for name, of in grouped.items())


def whole(rows: Sequence[PlanRow]) -> Story:
    """All rows as one group."""
    return Story(id="plan", title="Launch plan", rows=tuple(rows))


def plan(record: RunRecord) -> tuple[PlanRow, ...]:
    """Stories and checklist."""
    return (*record.stories, *record.checklist)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A success metric of the launch plan, and what was measured of it."""

    name: str
    target: str
    baseline: str
    """What the plan says that it is today."""
    measured: SloResult | None


#: As the plan writes them. Where a run has measured one, its own target is shown.
SUCCESS_METRICS = (
    ("webhook latency p95", "< 200 ms", "152 ms"),
    ("CAPI dispatch p95", "< 2 s", "1.2 s"),
    ("match rate", "> 70 %", "unknown"),
    ("success rate", "> 99 %", "unknown"),
    ("DLQ depth", "< 50 events", "0"),
    ("request availability", "> 99.9 %", "unknown"),
)


def metrics(record: RunRecord) -> tuple[Metric, ...]:
    """The plan's success metrics, measured or not, and then every other number."""
    found = {one.name: one for one in record.slo}
    named = [
        Metric(name=name, target=target, baseline=baseline, measured=found.pop(name, None))
        for name, target, baseline in SUCCESS_METRICS
    ]
    others = [Metric(name=one.name, target="", baseline="", measured=one) for one in found.values()]
    return (*named, *others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that was broken on purpose, and how the promises held meanwhile."""

    what: str
    scenarios: tuple[ScenarioResult, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of them."""
        return min((one.outcome for one in self.scenarios), key=_WORST_FIRST.index)


def faults(record: RunRecord) -> tuple[Fault, ...]:
    """Every fault that an experiment of this run caused; those that were not survived first."""
    grouped: dict[str, list[ScenarioResult]] = {}
    for one in record.scenarios:
        for what in dict.fromkeys(event.what for event in one.timeline if event.kind == "fault"):
            grouped.setdefault(what, []).append(one)
    found = [Fault(what=what, scenarios=tuple(of)) for what, of in grouped.items()]
    return tuple(sorted(found, key=lambda one: (_WORST_FIRST.index(one.outcome), one.what)))


def slowest(record: RunRecord, most: int = 5) -> tuple[ScenarioResult, ...]:
    """Where the scenarios' time went."""
    return tuple(sorted(record.scenarios, key=lambda one: -one.duration_s)[:most])
