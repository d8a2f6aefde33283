"""`summary.md`: one screen for a job page, out of whose places nothing can break."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.records import RunRecord
from reports import markdown, words
from tests.rows import each_row

#: Two rows' worth of cells are counted at bars that are no text.
_BAR = re.compile(r"(?<!\\)\|")


def tables(text: str) -> Iterator[list[str]]:
    """The lines of each table."""
    block: list[str] = []
    for line in (*text.splitlines(), ""):
        if line.startswith("|"):
            block.append(line)
        elif block:
            yield block
            block = []


def test_it_begins_with_the_verdict_and_its_headline(any_record: RunRecord) -> None:
    first, _, headline = markdown.render(any_record).splitlines()[:3]
    assert first.startswith("## ")
    assert first.endswith(words.verdict_line(any_record))
    assert headline


def test_every_table_is_rectangular(any_record: RunRecord) -> None:
    """A bar in a title would shift its row."""
    found = list(tables(markdown.render(any_record)))
    assert len(found) >= (1 if any_record.stories else 0)
    for table in found:
        assert len({len(_BAR.findall(line)) for line in table}) == 1, table


@each_row(
    "hostile",
    [
        "<script>alert(1)</script>",
        "a | b",
        "@everyone",
        "# heading",
        "*bold* _soft_",
        "[link](https://example.org)",
        "![image](https://example.org/x.png)",
        "~~gone~~",
        "a `tick without its partner",
        "line\nline",
        "&lt;b&gt;",
    ],
    shared=("no_go",),
)
def test_hostile_text_stays_text(no_go: RunRecord, hostile: str) -> None:
    """In titles, messages, reasons, ids and commands: no tag, no mention, no link, no new line, no cell."""
    spoilt = replace(
        no_go,
        headline=f"NO GO: {hostile}",
        reasons=(hostile,),
        next_steps=(hostile,),
        machine=hostile,
        scenarios=tuple(replace(one, title=hostile, suite=hostile, message=hostile) for one in no_go.scenarios[:6]),
        slo=tuple(replace(one, name=hostile) for one in no_go.slo),
        stories=tuple(replace(row, story_title=hostile) for row in no_go.stories),
    )
    outside = re.sub(r"`[^`]*`", "", markdown.render(spoilt))
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)@", outside)
    assert not re.search(r"(?<!\\)\[", outside)
    assert not re.search(r"(?<!\\)~~", outside)
    assert not re.search(r"^# ", outside, re.MULTILINE)
    assert "*bold*" not in re.sub(r"\\\*", "", outside)
    assert not [line for line in outside.splitlines() if line.rstrip("* ") == "line"]
    for table in tables(markdown.render(spoilt)):
        assert len({len(_BAR.findall(line)) for line in table}) == 1, table


def test_a_backtick_without_its_partner_makes_no_command(go: RunRecord) -> None:
    text = markdown.render(replace(go, reasons=("one `golive run` and one ` alone",)))
    assert "one 'golive run' and one ' alone" in text


def test_what_is_red_comes_with_its_command(no_go: RunRecord) -> None:
    text = markdown.render(no_go)
    red = [one for one in no_go.scenarios if one.outcome == "failed"]
    assert all(f"`{one.reproduce}`" in text for one in red)


def test_a_flood_of_red_is_cut_and_counted(go: RunRecord) -> None:
    """A job page has a limit; what is left out is told."""
    flood = tuple(
        replace(go.scenarios[0], id=f"S-{place:03}", outcome="failed", message="x" * 5_000) for place in range(200)
    )
    text = markdown.render(replace(go, scenarios=flood, reasons=tuple(f"reason {place}" for place in range(200))))
    assert "and 180 more in the report" in text
    assert "and 192 more in the report" in text
    assert len(text) < 40_000


@each_row(
    ("kind", "heading", "there"),
    [
        ("go", "### What is red", False),
        ("go", "### Service levels", False),
        ("no_go", "### What is red", True),
        ("no_go", "### Service levels", True),
        ("empty", "### Promises", False),
        ("harness_error", "### What is red", True),
    ],
)
def test_empty_sections_are_left_out(request: pytest.FixtureRequest, kind: str, heading: str, there: bool) -> None:
    assert (heading in markdown.render(request.getfixturevalue(kind))) is there


def test_the_plans_rows_add_up(go: RunRecord) -> None:
    """Every row in scope is counted in one column."""
    plan = next(table for table in tables(markdown.render(go)) if table[0].startswith("| story"))
    shown = sum(int(cell) for line in plan[2:] for cell in _BAR.split(line)[2:-1] if cell.strip())
    in_scope = [row for row in (*go.stories, *go.checklist) if row.state.value != "out_of_scope"]
    assert shown == len(in_scope)
