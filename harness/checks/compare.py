"""What became better or worse between two runs, beyond noise. Pure.

A number has changed when the two 95 % intervals do not overlap. A number without an interval (a highest reading) has
changed when it crossed its target. What only one of the two runs looked at is told, and is neither better nor worse.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.records import PlanRow, RowState, RunRecord, ScenarioResult, SloResult, Verdict

Direction = Literal["better", "worse"]

_VERDICTS = (Verdict.NO_GO, Verdict.INCONCLUSIVE, Verdict.GO_WITH_CONCERNS, Verdict.GO)
_STATES: Mapping[RowState, int] = {
    RowState.NOT_MET: 0,
    RowState.NOT_OBSERVED: 1,
    RowState.UNDECIDED: 1,
    RowState.WAIVED: 2,
    RowState.ATTESTED: 3,
    RowState.MET: 3,
}
_OUTCOMES = {"passed": "kept", "failed": "broken", "skipped": "not observed", "error": "not carried out"}
_GOOD = {"failed": 0, "error": 1, "skipped": 1, "passed": 2}

_FEWEST_PAIRS = 20
"""With fewer scenarios in both runs their durations say nothing."""
_DRAWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it was."""

    direction: Direction
    words: str
    regression: bool = False
    """It speaks against the newer run. How long scenarios took does not: that is the machine's as much as theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that changed, and what has to be known to believe it."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What speaks against the newer run."""
        return tuple(one for one in self.changes if one.regression)

    @property
    def better(self) -> tuple[str, ...]:
        """In words."""
        return tuple(one.words for one in self.changes if one.direction == "better")

    @property
    def worse(self) -> tuple[str, ...]:
        """In words."""
        return tuple(one.words for one in self.changes if one.direction == "worse")


def compare(old: RunRecord, new: RunRecord) -> Comparison:
    """Everything that changed from the older to the newer, the gravest first."""
    changes = [
        *_verdict(old, new),
        *_counts(old, new),
        *_scenarios(old, new),
        *_numbers(old, new),
        *_alarms(old.alarms, new.alarms),
        *_rows(old, new),
        *_durations(old, new),
    ]
    return Comparison(changes=tuple(changes), notes=tuple(_notes(old, new)))


def _change(gain: float, words: str) -> Change:
    return Change(direction="better" if gain > 0 else "worse", words=words, regression=gain < 0)


def _verdict(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    if old.verdict is None or new.verdict is None or old.verdict is new.verdict:
        return
    gain = _VERDICTS.index(new.verdict) - _VERDICTS.index(old.verdict)
    yield _change(gain, f"The verdict is {_word(new.verdict)}, and was {_word(old.verdict)}.")


def _word(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")


def _counts(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    """Of what must not be at all, any is too many: their number depends on how much was sent, so it is not compared."""
    for name in ("lost", "doubled", "pending"):
        before, after = getattr(old.ledger, name), getattr(new.ledger, name)
        if bool(before) != bool(after) and old.ledger.deliveries and new.ledger.deliveries:
            yield _change(before - after, f"{after:,} conversions are {name}, and {before:,} were.")
    before, after = len(old.privacy.leaks), len(new.privacy.leaks)
    if before != after and old.privacy.places and new.privacy.places:
        yield _change(before - after, f"Personal data leaks in {after} places, and did in {before}.")
    before, after = len(old.broken), len(new.broken)
    if before != after:
        words = f"{after} promises outside of scenarios are broken, and {before} were."
        yield _change(before - after, words)
    caught = [one.saboteurs.get("caught", 0) for one in (old, new)]
    total = [one.saboteurs.get("total", 0) for one in (old, new)]
    if all(total) and total[0] - caught[0] != total[1] - caught[1]:
        gain = (total[0] - caught[0]) - (total[1] - caught[1])
        words = f"{caught[1]} of {total[1]} saboteurs are caught, and {caught[0]} of {total[0]} were."
        yield _change(gain, words)


def _scenarios(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    before = {one.id: one for one in old.scenarios}
    for one in sorted(new.scenarios, key=lambda one: (_GOOD[one.outcome], one.id)):
        was = before.get(one.id)
        if was is None or _GOOD[was.outcome] == _GOOD[one.outcome]:
            continue
        words = (
            f"{one.id} ({one.title.removesuffix('.')}) is {_OUTCOMES[one.outcome]}, and was {_OUTCOMES[was.outcome]}."
        )
        first = next(iter(one.message.splitlines()), "")
        yield _change(_GOOD[one.outcome] - _GOOD[was.outcome], f"{words} {first}".strip())


def _numbers(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    before = {one.name: one for one in old.slo}
    for one in new.slo:
        was = before.get(one.name)
        if was is None or was.unit != one.unit or was.measured is None or one.measured is None:
            continue
        gain = _gain(was, one)
        if gain:
            yield _change(gain, f"{one.name} is {_told(one)}, and was {_told(was)}.")


def _gain(was: SloResult, one: SloResult) -> float:
    """Over 0: better; 0: no difference beyond noise."""
    if was.ci95 and one.ci95:
        if was.ci95[0] <= one.ci95[1] and one.ci95[0] <= was.ci95[1]:
            return 0
        more = 1.0 if one.ci95[0] > was.ci95[1] else -1.0
        return more if one.unit == "%" else -more  # a rate has to be over its target, everything else under it
    rank = {False: 0, None: 1, True: 2}
    return rank[one.met] - rank[was.met] if was.target == one.target else 0


def _told(one: SloResult) -> str:
    return f"{one.told}, {({True: 'met', False: 'refuted', None: 'undecided'})[one.met]}"


def _alarms(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    before = {one.get("name"): one for one in old}
    for one in new:
        was = before.get(one.get("name"), {})
        for key in ("fires", "silent", "once", "resolves"):
            now, then = one.get(key), was.get(key)
            if isinstance(now, bool) and isinstance(then, bool) and now is not then:
                words = f"The alarm {one.get('name')}: “{key}” is {_yes(now)}, and was {_yes(then)}."
                yield _change(1 if now else -1, words)


def _yes(value: bool) -> str:
    return "kept" if value else "broken"


def _rows(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    """Rows that one run saw and the other could not are only told where both had the same means to see them."""
    alike = old.kind == new.kind and {one.id for one in old.scenarios} == {one.id for one in new.scenarios}
    before = {row.id: row for row in (*old.stories, *old.checklist)}
    for row in (*new.stories, *new.checklist):
        was = before.get(row.id)
        if was is None or RowState.OUT_OF_SCOPE in (was.state, row.state):
            continue
        gain = _STATES[row.state] - _STATES[was.state]
        if gain and (alike or (_seen(was) and _seen(row))):
            yield _change(gain, f"{row.id}, “{row.text}”, is {_state(row)}, and was {_state(was)}.")


def _seen(row: PlanRow) -> bool:
    return row.state not in (RowState.NOT_OBSERVED, RowState.UNDECIDED)


def _state(row: PlanRow) -> str:
    return row.state.value.replace("_", " ")


def _durations(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    """Of the scenarios that both runs kept: by which factor the middle one became slower, with its interval."""
    pairs = _pairs(old.scenarios, new.scenarios)
    if len(pairs) < _FEWEST_PAIRS or old.machine != new.machine:
        return
    rng = random.Random(len(pairs))
    drawn = sorted(statistics.median(rng.choices(pairs, k=len(pairs))) for _ in range(_DRAWS))
    low, high = drawn[int(_DRAWS * 0.025)], drawn[int(_DRAWS * 0.975) - 1]
    if low <= 1 <= high:
        return
    middle = statistics.median(pairs)
    word = "slower" if middle > 1 else "faster"
    words = (
        f"The middle one of {len(pairs)} scenarios is {word}: {middle:.2f} times as long "
        f"(95 % interval {low:.2f} to {high:.2f}). It may be the machine."
    )
    yield Change(direction="worse" if middle > 1 else "better", words=words)


def _pairs(old: Sequence[ScenarioResult], new: Sequence[ScenarioResult]) -> list[float]:
    before = {one.id: one.duration_s for one in old if one.outcome == "passed" and one.duration_s > 0}
    return [
        one.duration_s / before[one.id]
        for one in new
        if one.outcome == "passed" and one.id in before and one.duration_s > 0
    ]


def _notes(old: RunRecord, new: RunRecord) -> Iterator[str]:
    if old.target.name != new.target.name:
        yield f"They are of different targets: {old.target.name} and {new.target.name}."
    if old.kind != new.kind:
        yield f"They are of different kinds: {old.kind} and {new.kind}. Only what both saw is compared."
    if old.machine != new.machine:
        yield "They ran on different machines, which changes numbers by itself: " + f"{old.machine}; {new.machine}."
    for one, which in ((old, "older"), (new, "newer")):
        if one.verdict is None:
            yield f"The {which} run ended in a harness error, so its verdict says nothing."
    before, after = {one.id for one in old.scenarios}, {one.id for one in new.scenarios}
    for ids, which in ((before - after, "older"), (after - before, "newer")):
        if ids:
            more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
            yield f"Only the {which} run looked at {', '.join(sorted(ids)[:3])}{more}."
    if old.load and new.load and old.load.profile != new.load.profile:
        yield f"The loads differ: {old.load.profile} and {new.load.profile}."
