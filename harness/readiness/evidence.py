"""What files and the environment know of the plan's rows, beside what a run knows. Pure.

Everything that looks at something hands in a `Found`: which row, what state, what was seen. One *not met* is enough;
of the rest, all that looked have to agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.readiness.plan import Row
from harness.readiness.rows import Observation
from harness.readiness.story_file import StoryFile
from harness.records import RowState

#: Which stories of their own the plan has rows for.
GATED_STORY = "006"
COUNTED_STORY = "009"

_WORST_FIRST = (RowState.NOT_MET, RowState.UNDECIDED, RowState.NOT_OBSERVED, RowState.WAIVED, RowState.MET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was seen of one row."""

    row: str
    state: RowState
    evidence: str
    reproduce: str = ""
    partial: bool = False
    """It saw a part of the row: what is wrong there makes it *not met*, what is right does not make it *met*."""


def by_row(found: Iterable[Found]) -> dict[str, list[Found]]:
    """Together what belongs together."""
    rows: dict[str, list[Found]] = {}
    for one in found:
        rows.setdefault(one.row, []).append(one)
    return rows


def settle(row: Row, run: Observation, found: Mapping[str, list[Found]]) -> Observation:
    """What is known of a row, with what was found beside the run.

    A run that has seen the row has its say: what was found cannot better it.
    """
    mine = found.get(row.id)
    if not mine:
        return run
    states = {one.state for one in mine if not (one.partial and one.state is RowState.MET)}
    if run.state not in (RowState.NOT_OBSERVED, RowState.OUT_OF_SCOPE):
        states.add(run.state)
    states = states or {RowState.UNDECIDED}
    state = next(one for one in _WORST_FIRST if one in states)
    said = tuple(one.evidence for one in sorted(mine, key=lambda one: _WORST_FIRST.index(one.state)))
    kept = run.evidence if run.state in states else ()
    again = next((one.reproduce for one in mine if one.state is state and one.reproduce), run.reproduce)
    return Observation(state, (*said, *kept), again)


def of_story(story: StoryFile) -> list[Found]:
    """The rows that a story handed in speaks about: those of 011.2 for story 006, the nine criteria of story 009."""
    again = f"golive readiness --story {story.path}"
    if story.report.number == GATED_STORY:
        return _of_gate(story, again)
    if story.report.number == COUNTED_STORY:
        return _of_criteria(story, again)
    return []


def _of_gate(story: StoryFile, again: str) -> list[Found]:
    report = story.report
    found = [Found(row="011.2/story-006", state=RowState.MET, evidence=f"Handed in as {story.path}.", reproduce=again)]
    for point in report.points:
        state = RowState.MET if point.met else RowState.NOT_MET
        said = "; ".join(f"line {one.line}: {one.missing}; {one.fix}" for one in point.findings[:5])
        said = said or f"line {point.line} of {story.path}"
        found.append(Found(row=f"011.2/{point.id}", state=state, evidence=f"{said}.", reproduce=again))
    if story.up_to_date:
        state, said = (
            RowState.MET,
            f"{story.path} records {report.status}, {report.met} of 10, each finding and its fix.",
        )
    else:
        state, said = RowState.NOT_MET, f"{story.path} does not record them as they are now; add --write."
    found += [Found(row=f"011.2/{name}", state=state, evidence=said, reproduce=f"{again} --write") for name in RECORDED]
    return found


#: Rows that say that the gate's outcome stands in the story.
RECORDED = ("findings", "fixes", "status")


def _of_criteria(story: StoryFile, again: str) -> list[Found]:
    """That a criterion is written down does not make it met: somebody still has to say that it is."""
    wanted = 9
    said = [f"Line {one.line} of {story.path}: {one.text[:200]}" for one in story.report.criteria[:wanted]]
    if len(said) < wanted:
        count = f"{story.path} has {len(said)} acceptance criteria, and the plan says nine."
        said += [count] * (wanted - len(said))
    return [
        Found(row=f"011.3/story-009-{place}", state=RowState.UNDECIDED, evidence=text, reproduce=again)
        for place, text in enumerate(said, 1)
    ]
