"""Ten points, in two languages; each missing one is named with its line, and nothing makes the gate fall over."""

import re
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.readiness import markdown_text, plan
from harness.readiness.story_gate import POINT_IDS, Point, StoryReport, check
from tests.rows import each_row

STORIES = Path(__file__).parent / "stories"
GOOD = {path.stem: path.read_text(encoding="utf-8") for path in sorted(STORIES.glob("good_*.md"))}
EN, PT = GOOD["good_en"], GOOD["good_pt"]


def point(text: str, name: str) -> Point:
    """One point of a story's report."""
    return next(one for one in check(text).points if one.id == name)


def unmet(report: StoryReport) -> dict[str, list[str]]:
    """What is missing, by point."""
    return {one.id: [found.missing for found in one.findings] for one in report.points if not one.met}


def without(text: str, heading: str) -> str:
    """The story without one section of level 2."""
    cut = re.sub(rf"(?ms)^## [^\n]*{heading}.*?(?=^## |\Z)", "", text)
    assert cut != text
    return cut


def replaced(text: str, old: str, new: str) -> str:
    """The story with one thing changed."""
    assert old in text
    return text.replace(old, new)


@each_row("name", GOOD)
def test_a_whole_story_is_ready(name: str) -> None:
    report = check(GOOD[name], name=f"{name}.md")
    assert unmet(report) == {}
    assert (report.status, report.met, report.number) == ("Ready", 10, "006")
    assert all(one.line > 0 for one in report.points)


def test_accents_may_be_left_out() -> None:
    bare = PT.translate(str.maketrans("áâãéêíóôõúçÁÉÓ", "aaaeeiooouc" + "AEO"))
    assert unmet(check(bare)) == {}


def test_the_ten_points_are_rows_of_the_plan() -> None:
    assert len(POINT_IDS) == 10
    assert {f"011.2/{name}" for name in POINT_IDS} <= set(plan.load().rows)
    assert plan.load().rows["011.2/ready"].all_of == tuple(f"011.2/{name}" for name in POINT_IDS)


SECTIONS = {
    "description": ("Description", "Descrição"),
    "criteria": ("Acceptance Criteria", "Critérios de Aceite"),
    "scope": ("Scope", "Escopo"),
    "dependencies": ("Dependencies", "Dependências"),
    "estimate": ("Estimate", "Complexidade"),
    "value": ("Business value", "Valor de Negócio"),
    "risks": ("Risks", "Riscos"),
    "done": ("Definition of Done", "Critérios de Pronto"),
    "alignment": ("Alignment", "Alinhamento"),
}


@each_row("name", SECTIONS)
@each_row("language", [0, 1])
def test_a_section_that_is_absent_is_named_and_only_it(name: str, language: int) -> None:
    report = check(without((EN, PT)[language], SECTIONS[name][language]))
    assert list(unmet(report)) == [name]
    assert report.status == "Draft"
    found = next(one for one in report.points if one.id == name)
    assert all(one.missing and one.fix and one.line >= 1 for one in found.findings)


@each_row("name", SECTIONS)
@each_row("language", [0, 1])
@each_row("filler", ["TODO", "- TBD", "A definir", "<describe it here>", "...", "<!-- write here -->", ""])
def test_a_placeholder_is_not_content(name: str, language: int, filler: str) -> None:
    heading = SECTIONS[name][language]
    text = re.sub(rf"(?ms)^(## [^\n]*{heading}[^\n]*\n).*?(?=^## |\Z)", rf"\1{filler}\n\n", (EN, PT)[language])
    assert list(unmet(check(text))) == [name]


@each_row(
    ("old", "new", "name", "said"),
    [
        ("# Story 006: Page views and checkouts are tracked for every visitor", "", "title", "there is no title"),
        ("Page views and checkouts are tracked for every visitor", "Tracking", "title", "says too little"),
        ("Page views and checkouts are tracked", "Various improvements to tracking", "title", "no objective"),
        ("Page views", "Page views " * 12, "title", "more than 120"),
        ("then one PageView is stored with its click id", "one PageView", "criteria", "has no Then/Então"),
        ("   When the visitor begins a checkout\n", "", "criteria", "has no When/Quando"),
        ("one PageView is stored with its click id", "the page is fast", "criteria", "“fast” in"),
        ("**OUT:**\n- purchases (stories 004 and 005)\n", "", "scope", "does not say what is OUT"),
        ("**IN:**\n- page view and checkout events\n", "", "scope", "does not say what is IN"),
        ("5 points", "let's discuss it", "estimate", "has no size"),
        ("Match rate above 70 % means that advertisers see what their money buys.", "Good.", "value", "too little"),
        ("| Browsers block cookies | the click id also travels in the link |", "", "risks", "no risk"),
        ("Epic 011, PRD section 3.", "yes", "alignment", "no epic or PRD"),
    ],
)
def test_what_is_there_but_not_enough(old: str, new: str, name: str, said: str) -> None:
    report = check(replaced(EN, old, new))
    found = unmet(report)
    assert list(found) == [name]
    assert any(said in one for one in found[name]), found


def test_a_finding_stands_at_its_line() -> None:
    text = replaced(EN, "then one PageView is stored with its click id", "one PageView")
    found = point(text, "criteria").findings
    assert [one.line for one in found] == [1 + text.split("\n").index(next(x for x in text.split("\n") if "1. " in x))]


def test_each_criterion_is_known_with_its_line() -> None:
    lines = EN.split("\n")
    report = check(EN)
    assert [lines[one.line - 1].split()[0] for one in report.criteria] == ["1.", "2.", "-"]
    assert len(check(PT).criteria) == 2


@each_row("fence", ["```", "~~~~"])
def test_what_stands_in_code_does_not_count(fence: str) -> None:
    inside = f"{fence}\n## Risks\nBrowsers block cookies often\n{fence}\n"
    assert list(unmet(check(without(EN, "Risks") + inside))) == ["risks"]


def test_a_fence_that_is_never_closed_hides_nothing() -> None:
    assert unmet(check(replaced(EN, "## Scope", "```\n## Scope"))) == {}


def test_what_stands_in_a_comment_does_not_count() -> None:
    inside = "<!--\n## Risks\nBrowsers block cookies often\n-->\n"
    assert list(unmet(check(without(EN, "Risks") + inside))) == ["risks"]


def test_front_matter_is_no_prose_but_may_name_the_epic_and_the_size() -> None:
    text = without(without(EN, "Estimate"), "Alignment")
    assert list(unmet(check(text))) == ["estimate", "alignment"]
    assert unmet(check(replaced(text, "id: 006", "id: 006\nepic: 011\npoints: 5"))) == {}
    assert list(unmet(check(replaced(without(EN, "Risks"), "id: 006", "id: 006\nrisks: many of them")))) == ["risks"]


@each_row(
    ("text", "name", "number"),
    [
        ("# Story 006: a", "", "006"),
        ("# História 9: a", "x.md", "009"),
        ("# a", "story-009.md", "009"),
        ("---\nid: STORY-006\n---\n# a", "009.md", "006"),
        ("# a", "011.2-story.md", ""),
        ("# a", "notes.md", ""),
    ],
)
def test_a_story_says_which_one_it_is(text: str, name: str, number: str) -> None:
    assert check(text, name=name).number == number


def test_crlf_changes_nothing() -> None:
    assert check(EN.replace("\n", "\r\n")) == check(EN)


_PIECES = st.sampled_from(
    ["# ", "## ", "Risks", "Riscos", "Scope\n", "IN:", "OUT: x", "```", "~~~", "<!--", "-->", "---\n", "|", "|a|b|\n",
     "Given", "dado", "When ", "então", "\n", "\r\n", "- ", "1. ", "[ ] ", "**", ":", "\0", "\u2028", "é", "===\n",
     "Acceptance criteria\n", "Critérios de aceite\n", "TODO", "5 points", "\t", "Estimate: "]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=400), st.lists(_PIECES, max_size=60).map("".join)))
def test_no_text_makes_it_fall_over(text: str) -> None:
    report = check(text, name=text[:20])
    last = len(markdown_text.split_lines(text))
    assert [one.id for one in report.points] == list(POINT_IDS)
    assert all(1 <= found.line <= last and found.fix for one in report.points for found in one.findings)


@each_row(
    "unit",
    ["a", "# ", "#\n", "- Given ", "|", "`", "```a\n", "<!--", "**a", "\n", "a: ", "| a | b |\n", "## Risks\n", "===\n",
     "## Acceptance criteria\n- Given a\n", "## Acceptance criteria\nx\n", "# a\n## b\n### c\n#### d\n", "`" * 9 + "\n",
     "IN ", "## Scope\nin - "],
)  # fmt: skip
def test_a_megabyte_is_judged_in_bounded_time(unit: str) -> None:
    """In CPU time, as the machine may be busy with other things; it was measured to take about a second."""
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    began = time.process_time()
    check(text)
    assert time.process_time() - began < 20
