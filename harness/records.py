"""What outlives a run: deliveries, outcomes, measurements, verdicts. Plain data, no I/O.

`RunRecord.to_json` is the `report.json` that CI and scripts read; its JSON Schema is
`reports/report.schema.json`. Raise `SCHEMA` when a field changes its meaning; never reuse a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self

SCHEMA = 1

#: How a scenario that the target file leaves no room for says so. Every other skip is something that should have been
#: seen and was not.
NOT_DECLARED = "not observable: "
#: How a variant says that it means nothing for its vendor.
NOT_APPLICABLE = "not applicable: "


class Verdict(StrEnum):
    """The one word of a run; `exit_code` is what the shell sees."""

    GO = "GO"
    GO_WITH_CONCERNS = "GO_WITH_CONCERNS"
    NO_GO = "NO_GO"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """0 go, 1 no go, 3 inconclusive. (2 is a harness error: then there is no verdict.)"""
        return {"GO": 0, "GO_WITH_CONCERNS": 0, "NO_GO": 1, "INCONCLUSIVE": 3}[self.value]


class RowState(StrEnum):
    """What is known of one line of the launch plan. Unknown is never a pass."""

    MET = "met"
    NOT_MET = "not_met"
    UNDECIDED = "undecided"
    NOT_OBSERVED = "not_observed"
    WAIVED = "waived"
    ATTESTED = "attested"
    OUT_OF_SCOPE = "out_of_scope"


Outcome = Literal["passed", "failed", "skipped", "error"]
Meaning = Literal["purchase", "reversal", "reinstatement", "ignored"]

#: What became of a conversion, as a target's database may tell it.
ConversionState = Literal["delivered", "dead_lettered", "expired", "suppressed", "held", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook that was sent, and how it was answered."""

    scenario: str
    tenant: str
    gateway: str
    dialect: str
    event: str
    meaning: Meaning
    """What a right receiver makes of the body."""
    sale: str
    """The sale's own id: the same for all deliveries of one purchase."""
    buyer_keys: tuple[str, ...] = field(default=(), repr=False)
    """Hashes by which Meta's inbox is searched for this sale: of the e-mail, of the phone."""
    status: int | None
    """None: no answer came; the target may have committed all the same."""
    answer_ms: float | None
    sent_at_s: float
    wire_sha256: str
    """Over path, vendor headers and body: the same seed gives the same digest."""

    @property
    def accepted(self) -> bool:
        """Whether the target took responsibility for it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event as Meta saw it."""

    event_id: str | None
    event_name: str
    order_id: str | None
    keys: tuple[str, ...]
    """Hashed e-mails and phones that it carried."""
    counted: bool
    """By Meta's own rule: not refused, and not a duplicate of an earlier one."""
    refused: bool
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One conversion as the target's own database tells it."""

    sale: str
    gateway: str
    event_id: str | None
    state: ConversionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where every delivery went. It closes when nothing is lost, doubled or pending.

    deliveries = unanswered + rejected + accepted;
    accepted = duplicate + ignored + new conversions;
    new conversions = delivered + dead_lettered + expired + suppressed + held + pending + lost.
    """

    deliveries: int = 0
    unanswered: int = 0
    rejected: int = 0
    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    expired: int = 0
    suppressed: int = 0
    held: int = 0
    pending: int = 0
    lost: int = 0
    doubled: int = 0
    """Counted more than once by Meta's own dedupe rule, not merely received twice."""

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    @property
    def closed(self) -> bool:
        """Nothing lost, doubled or still on its way."""
        return not (self.lost or self.doubled or self.pending)

    @property
    def conversions(self) -> int:
        """Distinct sales for which the target took responsibility."""
        return self.accepted - self.duplicate - self.ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """Something that happened in the course of an experiment."""

    t_s: float
    """Seconds of the run since the experiment began."""
    kind: Literal["fault", "fact", "backlog"]
    what: str
    until_s: float | None = None
    """Of a fault: when it was to end."""
    value: float | None = None
    """Of the backlog: how many sales waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that breaks no promise, and that somebody should know before the launch."""

    sentence: str
    rows: tuple[str, ...] = ()
    """Rows of the launch plan that are not met for it, and for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """One promise, once: what was asked and what was seen."""

    id: str
    title: str
    story: str
    criterion: str
    proves: tuple[str, ...]
    """Row ids of the launch plan."""
    suite: str
    outcome: Outcome
    duration_s: float
    given: str = ""
    when: str = ""
    then: str = ""
    message: str = ""
    """Why it is red, in one or a few sentences; the promise's name stands first."""
    blame: Literal["", "target", "harness"] = ""
    kept: tuple[str, ...] = ()
    """Of a red one: the rows whose own part of it had passed before it failed."""
    unreached: tuple[str, ...] = ()
    """Of a red one: the rows whose own part of it never began."""
    concerns: tuple[Concern, ...] = ()
    evidence: tuple[str, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()
    """Of an experiment; in the order in which things happened."""
    reproduce: str = ""
    ledger: Ledger = Ledger()
    wire_sha256: str = ""
    """Digest over all deliveries of the scenario, in order."""

    @property
    def undeclared(self) -> bool:
        """Whether it was left out because of what the target file does not say: known before anything ran."""
        return self.outcome == "skipped" and self.message.startswith(NOT_DECLARED)


def figure(value: float, target: float | None = None) -> str:
    """A number in four digits, or in as many more as it takes to look equal to its target only when it is: 199.996."""
    for digits in range(4, 16):
        shown = _trimmed(value, digits)
        if target is None or (float(shown.replace(",", "")) == target) == (value == target):
            return shown
    return repr(value)


def _trimmed(value: float, digits: int) -> str:
    whole = len(str(int(abs(value))))
    text = f"{value:,.{max(digits - whole, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class SloResult:
    """One number with its target, judged on raw samples."""

    name: str
    target: float
    unit: str
    measured: float | None
    samples: int
    ci95: tuple[float, float] | None
    met: bool | None
    """None: undecided, or not observed."""
    note: str = ""

    @property
    def told(self) -> str:
        """`152.3 ms, 95 % interval 148.1 to 157.9 ms, over 1,400 samples`; empty where nothing was measured."""
        if self.measured is None:
            return ""
        interval = ""
        if self.ci95:
            low, high = (figure(one, self.target) for one in self.ci95)
            interval = f", 95 % interval {low} to {high} {self.unit}"
        return f"{figure(self.measured, self.target)} {self.unit}{interval}, over {self.samples:,} samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyResult:
    """The hunt for the personal data that the run invented."""

    canaries: int = 0
    places: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    """`where: kind of canary`, never the canary itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One line of the launch plan, and what is known about it."""

    id: str
    story: str
    text: str
    state: RowState
    evidence: tuple[str, ...] = ()
    reproduce: str = ""
    how: str = ""
    """How it can be seen: scenario, load, benchmark, readiness, attestation, out_of_scope."""
    story_title: str = ""
    """What the plan calls the story, or the part of the checklist."""


def observed(rows: Iterable[PlanRow]) -> tuple[int, int]:
    """How many rows were seen to be met or not, and how many are in scope."""
    states = [row.state for row in rows if row.state is not RowState.OUT_OF_SCOPE]
    return sum(state in (RowState.MET, RowState.NOT_MET, RowState.ATTESTED) for state in states), len(states)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """What was judged."""

    name: str
    commit: str
    """With `-dirty` where files differed from it; `unknown` outside git."""

    @property
    def dirty(self) -> bool:
        """Whether what was judged is no commit: files differed from it."""
        return self.commit.endswith("-dirty")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSeries:
    """The course of a load run in steps of time: quantiles for each step, nothing smoothed. All have one length."""

    step_s: float
    due: tuple[int, ...]
    """Webhooks due in each step."""
    failed: tuple[int, ...]
    p50_ms: tuple[float | None, ...]
    """Of the webhooks due in the step, from the moment each was due; None where none was."""
    p95_ms: tuple[float | None, ...]
    max_ms: tuple[float | None, ...]
    backlog: tuple[int, ...]
    """Sales accepted and not yet counted by Meta, at the end of the step."""
    queue: tuple[float | None, ...] = ()
    """Messages in the target's queue, the highest reading of the step; empty where nobody could look."""
    memory_mb: tuple[float | None, ...] = ()
    """Of the target's processes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDistribution:
    """How many webhooks took how long."""

    edges_ms: tuple[float, ...]
    """One more than there are counts; the first and the last count hold what lies outside, too."""
    corrected: tuple[int, ...]
    """From the moment each was due."""
    uncorrected: tuple[int, ...]
    """As a tool that waits for its answers would have written down: from the sending, and without what it omits."""
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadMark:
    """Something that lasted: a fault that was put in place, or a stall that was seen."""

    what: str
    from_s: float
    until_s: float
    kind: Literal["fault", "stall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStep:
    """One step of a search for the knee."""

    repeat: int
    """Which search, counted from 1; 0: the claimed rate, asked for once more at the end."""
    planned_per_s: float
    achieved_per_s: float
    requests: int
    failures: int
    ack_p95_ms: float | None
    ack_p99_ms: float | None
    uncorrected_p95_ms: float | None
    uncorrected_p99_ms: float | None
    dispatch_p95_s: float | None
    scheduler_lag_p99_ms: float
    held: bool
    """Every service level was met, not merely not refuted."""
    limited_by: Literal["", "target", "generator", "unclear"]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadKnee:
    """The highest rate inside every service level, looked for several times over."""

    steps: tuple[LoadStep, ...]
    knees_per_s: tuple[float, ...]
    """One for each search that came to its end: the highest rate that held below the lowest that did not."""
    knee_per_s: float | None
    """Their median."""
    low_per_s: float | None
    """What held in every search: what is claimed."""
    high_per_s: float | None
    """The highest of the rates that did not hold."""
    spread_percent: float | None
    """How far the knees lie apart; over 15 there is none."""
    limited_by: Literal["", "target", "generator", "unclear"]
    times_average_day: float | None
    decided: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCostPart:
    """What one part of a load run has used, from the first request until nothing was on its way."""

    name: str
    """target, database, AWS stand-in, fakes, golive, generator."""
    cpu_s: float
    cpu_s_per_1000: float
    """For each 1,000 requests."""
    peak_memory_mb: float
    """Resident, the sum over its processes: what they share is counted for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCost:
    """What a load run has cost on this machine."""

    events: int
    """Requests that were sent."""
    parts: tuple[LoadCostPart, ...]
    golive_percent: float | None
    """golive itself and its fakes, of the CPU of all but the generator."""
    goal_percent: float
    """It should be under that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What a load profile asked for and got."""

    profile: str
    planned_per_s: float
    achieved_per_s: float
    duration_s: float
    requests: int
    failures: int
    scheduler_lag_p99_ms: float
    meta_latency_median_ms: float
    meta_latency_p95_ms: float
    ack_p50_ms: float | None = None
    ack_p95_ms: float | None = None
    """Corrected, as all of these: from the moment a webhook was due."""
    ack_p99_ms: float | None = None
    uncorrected_p95_ms: float | None = None
    """As a tool that waits for its answers would have said."""
    uncorrected_p99_ms: float | None = None
    facts: tuple[str, ...] = ()
    """What else was seen, in sentences."""
    marks: tuple[LoadMark, ...] = ()
    series: LoadSeries | None = None
    distribution: LoadDistribution | None = None
    knee: LoadKnee | None = None
    cost: LoadCost | None = None
    """None where the target's processes cannot be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A scenario that a sharded run has to look at, whichever of its shards does."""

    id: str
    title: str
    suite: str
    proves: tuple[str, ...]
    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A scenario that this run did not run, because it is in a suite of the long tier (`golive run --all`)."""

    id: str
    suite: str
    proves: tuple[str, ...]


def left_out_suites(left_out: Sequence[LeftOut]) -> str:
    """`recovery (66), monitoring (10)`: the suites that were not run, and how many scenarios are in each."""
    suites = Counter(scenario.suite for scenario in left_out)
    return ", ".join(f"{name} ({number})" for name, number in suites.most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardInfo:
    """Which part of a run this is, and what the whole of it is: so that a part that is missing can be missed."""

    index: int
    """From 1."""
    count: int
    selection: str
    """`--suite …` and `-k …` as they were given: shards of one run have the same."""
    planned: tuple[Planned, ...]
    """Of all shards."""
    not_applicable: tuple[str, ...] = ()
    """Of this one: what turned out to mean nothing for its vendor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, whole; or a shard of one."""

    run_id: str
    kind: Literal["run", "load", "readiness"]
    seed: int
    target: TargetInfo
    clock_origin: str
    """ISO 8601, UTC."""
    started_at: str
    duration_s: float
    machine: str
    command: str
    """What reproduces this run."""
    verdict: Verdict | None
    """None: a harness error; there is nothing to say of the target."""
    exit_code: int
    headline: str
    reasons: tuple[str, ...] = ()
    not_observed: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    harness_errors: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    """Promises broken outside of any scenario: a process of the target died, it did not start."""
    scenarios: tuple[ScenarioResult, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    """Scenarios of the long tier that were not run; empty where all were, or where a selection was asked for."""
    ledger: Ledger = Ledger()
    privacy: PrivacyResult = PrivacyResult()
    slo: tuple[SloResult, ...] = ()
    load: LoadResult | None = None
    alarms: tuple[Mapping[str, Any], ...] = ()
    dashboard: tuple[Mapping[str, Any], ...] = ()
    """What the dashboard of the target's template showed (title, starts_s, step_s, lines)."""
    saboteurs: Mapping[str, int] = field(default_factory=lambda: {"caught": 0, "total": 0})
    stories: tuple[PlanRow, ...] = ()
    checklist: tuple[PlanRow, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    """Where the time went, in seconds, by phase."""
    shard: ShardInfo | None = None
    """None: a whole run, or one that was merged."""

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, by the machine's own clock; None where its beginning cannot be read."""
        try:
            began = datetime.fromisoformat(self.started_at)
        except ValueError:
            return None
        return began + timedelta(seconds=self.duration_s) if began.tzinfo else None

    def to_json(self) -> dict[str, Any]:
        """The content of `report.json`."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a `report.json` again.

        Raises:
            ValueError: another schema, or a field that is not of its kind.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"report.json has schema {data.get('schema')!r}; this golive reads {SCHEMA}")
        known = {one.name for one in fields(cls)}
        kept: dict[str, Any] = {key: value for key, value in data.items() if key in known}
        kept["target"] = TargetInfo(**data["target"])
        kept["verdict"] = Verdict(data["verdict"]) if data["verdict"] else None
        kept["scenarios"] = tuple(_scenario(one) for one in data["scenarios"])
        kept["left_out"] = tuple(LeftOut(**_tuples(one)) for one in data.get("left_out", ()))  # older runs ran all
        kept["ledger"] = Ledger(**data["ledger"])
        kept["privacy"] = PrivacyResult(**_tuples(data["privacy"]))
        kept["slo"] = tuple(SloResult(**{**one, "ci95": _pair(one["ci95"])}) for one in data["slo"])
        kept["load"] = _load(data["load"]) if data.get("load") else None
        kept["shard"] = _shard(data["shard"]) if data.get("shard") else None
        for name in ("stories", "checklist"):
            kept[name] = tuple(PlanRow(**{**_tuples(row), "state": RowState(row["state"])}) for row in data[name])
        return cls(**_tuples(kept))


def _load(data: Mapping[str, Any]) -> LoadResult:
    kept = _tuples(data)  # older runs have neither series nor knee
    kept["marks"] = tuple(LoadMark(**one) for one in data.get("marks", ()))
    for name, kind in (("series", LoadSeries), ("distribution", LoadDistribution)):
        kept[name] = kind(**_tuples(data[name])) if data.get(name) else None
    if knee := data.get("knee"):
        kept["knee"] = LoadKnee(**{**_tuples(knee), "steps": tuple(LoadStep(**one) for one in knee["steps"])})
    if cost := data.get("cost"):
        kept["cost"] = LoadCost(**{**cost, "parts": tuple(LoadCostPart(**one) for one in cost["parts"])})
    return LoadResult(**kept)


def _scenario(data: Mapping[str, Any]) -> ScenarioResult:
    timeline = tuple(TimelineEvent(**one) for one in data.get("timeline", ()))  # older runs have none
    concerns = tuple(Concern(**_tuples(one)) for one in data.get("concerns", ()))
    ledger = Ledger(**data["ledger"])
    return ScenarioResult(**{**_tuples(data), "ledger": ledger, "timeline": timeline, "concerns": concerns})


def _shard(data: Mapping[str, Any]) -> ShardInfo:
    return ShardInfo(**{**_tuples(data), "planned": tuple(Planned(**_tuples(one)) for one in data["planned"])})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _pair(value: Sequence[float] | None) -> tuple[float, float] | None:
    return (value[0], value[1]) if value else None
