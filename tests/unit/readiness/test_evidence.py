"""What a story says becomes rows; one that was not met stays so, whatever else agrees."""

from pathlib import Path

from harness.readiness import evidence, plan, rows, story_file
from harness.readiness.evidence import Found
from harness.readiness.rows import Observation
from harness.records import PlanRow, RowState
from tests.rows import each_row

STORIES = Path(__file__).parent / "stories"
ROW = plan.load().rows["011.3/coverage"]


def judged(*found: Found) -> dict[str, PlanRow]:
    """Every row of the plan, with nothing but this known."""
    known = evidence.by_row(found)
    stories, checklist = rows.judge(plan.load(), (), (), settle=lambda row, run: evidence.settle(row, run, found=known))
    return {row.id: row for row in (*stories, *checklist)}


def story(path: Path, text: str, *, write: bool = False) -> list[Found]:
    """What a story's file says of the plan's rows."""
    path.write_text(text, encoding="utf-8")
    if write:
        story_file.save(story_file.load(path))
    return evidence.of_story(story_file.load(path))


def test_a_ready_story_meets_all_rows_of_its_gate(tmp_path: Path) -> None:
    found = story(tmp_path / "s.md", (STORIES / "good_en.md").read_text(encoding="utf-8"), write=True)
    states = {row.id: row.state for row in judged(*found).values() if row.story == "011.2"}
    assert set(states.values()) == {RowState.MET}
    assert len(states) == 15


def test_a_draft_is_not_ready_and_says_where(tmp_path: Path) -> None:
    text = (STORIES / "good_en.md").read_text(encoding="utf-8").replace("5 points", "some")
    known = judged(*story(tmp_path / "s.md", text, write=True))
    assert known["011.2/ready"].state is RowState.NOT_MET
    assert known["011.2/estimate"].state is RowState.NOT_MET
    assert known["011.2/estimate"].evidence[0].startswith("line 28: the estimate has no size")
    assert known["011.2/findings"].state is RowState.MET


def test_findings_that_are_not_recorded_are_not_met(tmp_path: Path) -> None:
    known = judged(*story(tmp_path / "s.md", (STORIES / "good_en.md").read_text(encoding="utf-8")))
    assert {known[f"011.2/{name}"].state for name in evidence.RECORDED} == {RowState.NOT_MET}


def test_a_criterion_that_is_written_down_is_not_yet_met(tmp_path: Path) -> None:
    nine = "\n".join(f"- Given {n}, when it is sent, then it arrives" for n in range(9))
    known = judged(*story(tmp_path / "009.md", f"# Dispatch to Meta works\n## Acceptance criteria\n{nine}\n"))
    assert known["011.3/story-009-3"].state is RowState.UNDECIDED
    assert "Given 2, when" in known["011.3/story-009-3"].evidence[0]
    assert known["011.3/criteria"].state is RowState.UNDECIDED


def test_another_story_speaks_for_no_row(tmp_path: Path) -> None:
    assert story(tmp_path / "s.md", "# Story 123: something else is done") == []


@each_row(
    ("run", "found", "state"),
    [
        (RowState.NOT_OBSERVED, [RowState.MET], RowState.MET),
        (RowState.NOT_OBSERVED, [RowState.MET, RowState.MET], RowState.MET),
        (RowState.NOT_OBSERVED, [RowState.MET, RowState.NOT_OBSERVED], RowState.NOT_OBSERVED),
        (RowState.NOT_OBSERVED, [RowState.MET, RowState.NOT_MET], RowState.NOT_MET),
        (RowState.NOT_MET, [RowState.MET], RowState.NOT_MET),
        (RowState.UNDECIDED, [RowState.MET], RowState.UNDECIDED),
        (RowState.MET, [RowState.MET], RowState.MET),
        (RowState.MET, [], RowState.MET),
    ],
)
def test_all_that_looked_have_to_agree(run: RowState, found: list[RowState], state: RowState) -> None:
    each = [Found(row=ROW.id, state=one, evidence=one.value) for one in found]
    assert evidence.settle(ROW, Observation(run), {ROW.id: each} if each else {}).state is state
