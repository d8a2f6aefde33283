"""Every line of the launch plan is exactly one row, or out of scope with a reason; and no row is invented."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.readiness import plan
from harness.readiness.plan import Row
from tests.rows import each_row

HERE = Path(__file__).parent
ROWS = plan.load().rows
#: What is left of the plan when its lines are taken away: headings and what holds the lines together.
GLUE = re.findall(
    r"\S+",
    """
stories each criterion is a row of the readiness report the project keeps its own list of every line below each with a
stable id and a test that maps each id to exactly one row or to out_of_scope with its reason 011 4a hash checklist data
migrations and the text of story 006 are not in the plan those rows come from a story file handed in with story and are
not observed without one story acceptance criteria 1 perfectpay deploy waf 2 validation pageview checkout 10 point 3 qa
gate 009 sqs dispatch to capi here sarif file same commit 7 checks verdict pass concerns fail waived hotmart 4b kiwify
4c stripe 5a raw body 5b analytics indexes s before 200 ms after 5c monitoring alarms in metrics 6 go live success
infrastructure code team definition done epic constraints assumptions metric target baseline 152 unknown 99 50 events 0
risks names flags blue green rollback plan's match rate 70 capture breaks existing webhooks views slow test m rows
""",
)


def lines() -> list[tuple[str, str]]:
    """Our own list: a row's id, and the plan's words for it."""
    read = (HERE / "mission_lines.txt").read_text(encoding="utf-8").splitlines()
    return [(one.partition(" | ")[0], one.partition(" | ")[2]) for one in read if one and not one.startswith("#")]


def gaps(listed: list[tuple[str, str]], rows: Mapping[str, Row]) -> Iterator[str]:
    """What does not fit, as sentences."""
    for name, words in listed:
        said = [" ".join(quote.split()) for quote in rows[name].quotes] if name in rows else []
        if said.count(words) != 1:
            yield f"{name}: “{words}” is no line of this row"
        if name in rows and rows[name].how == "out_of_scope" and not rows[name].reason:
            yield f"{name} is out of scope without a reason"
    for twice, count in Counter(listed).items():
        if count > 1:
            yield f"{twice[0]}: “{twice[1]}” stands in the list twice"
    wanted = {name for name, _ in listed}
    for row in rows.values():
        if row.id not in wanted:
            yield f"{row.id} is no line of the plan"
        for quote in row.quotes:
            if (row.id, " ".join(quote.split())) not in listed:
                yield f"{row.id} says “{quote}”, which the list does not"


def left_over(mission: str, listed: list[tuple[str, str]]) -> set[str]:
    """Words of the plan that no line holds and that are no glue."""
    text = " ".join(mission.split())
    for _, words in sorted(listed, key=lambda one: -len(one[1])):
        text = text.replace(words, " ")
    return {word for word in re.findall(r"[\w']+", text.casefold()) if word not in GLUE}


def test_each_line_is_exactly_one_row_and_each_row_a_line() -> None:
    assert list(gaps(lines(), ROWS)) == []


def test_the_list_leaves_no_line_of_the_plan_out() -> None:
    assert left_over((HERE / "mission.md").read_text(encoding="utf-8"), lines()) == set()


@each_row("name", ["011.1/waf", "011.4a/hash", "checklist/data/migrations", "constraint/store"])
def test_the_test_can_fail(name: str) -> None:
    """A row that is gone, that says something else, that stands for another line; a line that is forgotten."""
    row = ROWS[name]
    without = {key: one for key, one in ROWS.items() if key != name}
    other = replace(row, quotes=("something else",))
    assert any(name in one for one in gaps(lines(), without))
    assert len(list(gaps(lines(), {**ROWS, name: other}))) >= 2
    assert any("no line of the plan" in one for one in gaps(lines(), {**ROWS, "x/y": replace(row, id="x/y")}))
    forgotten = [one for one in lines() if one[0] != name]
    assert any(f"{name} is no line" in one for one in gaps(forgotten, ROWS))
    mission = f"{(HERE / 'mission.md').read_text(encoding='utf-8')} · customers are greeted by name"
    assert left_over(mission, lines()) == {"customers", "greeted", "by", "name"}
