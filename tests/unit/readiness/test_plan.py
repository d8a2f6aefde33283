"""The launch plan is data, and what is wrong in it is refused with the row's name."""

import re

import pytest

from harness.checks import slo
from harness.errors import HarnessError
from harness.readiness import plan
from harness.readiness.plan import Plan, Row
from tests.rows import each_row

SHIPPED = plan.load()
ROWS = list(SHIPPED.rows.values())


def stories(*rows: str, gateways: str = "") -> str:
    """The text of a small `stories.toml`."""
    listed = ",\n".join(f"  {{ {row} }}" for row in rows)
    return f'[gateways]\n{gateways}\n[stories."1"]\ntitle = "One"\nrows = [\n{listed}\n]\n'


def checklist(*rows: str) -> str:
    """The text of a small `checklist.toml`."""
    listed = ",\n".join(f"  {{ {row} }}" for row in rows)
    return f'[checklist.code]\ntitle = "Code"\nrows = [\n{listed}\n]\n'


GOOD = 'id = "a", text = "it answers", how = "scenario"'
CHECK = 'id = "ci", text = "tests run", how = "readiness", who = "a developer"'


def parsed(*rows: str, gateways: str = "") -> Plan:
    return plan.parse(stories(*rows, gateways=gateways), checklist(CHECK))


# -- what is shipped -----------------------------------------------------------------------------------------------


def test_the_shipped_plan_holds_stories_and_checklist() -> None:
    """In the plan's order: the stories, then the checklist, without a break."""
    is_listed = [row.id.startswith("checklist/") for row in ROWS]
    assert is_listed == sorted(is_listed)
    assert set(is_listed) == {False, True}


@each_row("row", ROWS)
def test_every_shipped_row_can_be_seen_somehow(row: Row) -> None:
    """Each has words, and who, why or which number where its kind needs one; nobody waits for what nobody can see."""
    assert row.id.startswith(f"{row.story}/")
    assert row.text == row.text.strip() != ""
    assert row.story_title
    assert row.quotes
    assert bool(row.who) or row.how not in ("readiness", "attestation")
    assert bool(row.reason) is (row.how == "out_of_scope")
    assert not row.measured or row.slo
    assert row.id not in row.all_of
    assert set(row.all_of) <= set(SHIPPED.rows)


def test_every_gateway_has_the_rows_that_a_template_names() -> None:
    """`gateway/x` would be a trap if x existed for some gateways only."""
    claimed = ("202", "persisted", "hmac", "idempotent", "event-id", "hash", "normalised")
    assert {f"{story}/{name}" for story in SHIPPED.gateways.values() for name in claimed} <= set(SHIPPED.rows)


def test_every_number_that_load_measures_decides_a_row() -> None:
    used = {row.slo.partition(",")[0] for row in ROWS if row.slo}
    assert used == set(slo.NAMES)


# -- what is refused -----------------------------------------------------------------------------------------------


@each_row(
    ("rows", "told"),
    [
        ((GOOD, GOOD), "the row 1/a twice"),
        (('id = "a", text = "x y z", how = "wish"',), "how: Input should be"),
        (('id = "a", text = "x y z", how = "scenario", colour = "red"',), "colour: Extra inputs"),
        (('id = "A B", text = "x y z", how = "scenario"',), "Row 'A B' of 1: id: "),
        (('id = "a", how = "scenario"',), "Row 'a' of 1: text: Field required"),
        (('text = "x y z", how = "scenario"',), "Row None of 1: id: Field required"),
        (('id = "a", text = "x y z", how = "readiness"',), "Row 1/a is seen by readiness, but does not say who"),
        (('id = "a", text = "x y z", how = "attestation"',), "Row 1/a is seen by attestation, but does not say who"),
        (('id = "a", text = "x y z", how = "load"',), "Row 1/a is seen by load, but does not say which number"),
        (('id = "a", text = "x y z", how = "out_of_scope"',), "Row 1/a is out of scope without a reason"),
        (('id = "a", text = "x y z", how = "load", slo = "webhook p95"',), "wants the number 'webhook p95'. Known: "),
        ((f'{GOOD}, all_of = ["1/b"]',), "Row 1/a follows from '1/b', which does not exist"),
        ((f'{GOOD}, all_of = ["2/*"]',), "Row 1/a follows from '2/*', which does not exist"),
        ((f'{GOOD}, all_of = ["1/*"]',), "Row 1/a follows from '1/*', which is itself"),
        ((f"{GOOD}, at_least = -1",), "at_least: Input should be greater"),
    ],
)
def test_a_wrong_row_is_refused_by_name(rows: tuple[str, ...], told: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(told)):
        parsed(*rows)


def test_a_gateway_without_its_story_is_refused() -> None:
    with pytest.raises(HarnessError, match="stripe belongs to the story '9', which does not exist"):
        parsed(GOOD, gateways='stripe = "9"')


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(HarnessError, match="The launch plan is not TOML"):
        plan.parse("[gateways\n", checklist(CHECK))


# -- what is read --------------------------------------------------------------------------------------------------


def test_a_star_stands_for_all_rows_that_begin_so() -> None:
    """Also for rows that stand later in the plan, and each only once."""
    read = parsed(GOOD, 'id = "all", text = "all of it", how = "scenario", all_of = ["checklist/*", "1/a", "1/a"]')
    assert read.rows["1/all"].all_of == ("checklist/code/ci", "1/a")


@each_row(
    ("given", "quotes"),
    [("", ("it answers",)), (', plan = "one"', ("one",)), (', plan = ["one", "two"]', ("one", "two"))],
)
def test_a_row_quotes_the_plan_or_itself(given: str, quotes: tuple[str, ...]) -> None:
    assert parsed(GOOD + given).rows["1/a"].quotes == quotes


@each_row(
    ("extra", "claimable"),
    [("", True), (", at_least = 2", False), (', all_of = ["checklist/code/ci"]', False)],
)
def test_only_what_a_scenario_can_see_alone_is_claimable(extra: str, claimable: bool) -> None:
    assert parsed(GOOD + extra).rows["1/a"].claimable is claimable
    assert not parsed(GOOD).rows["checklist/code/ci"].claimable
