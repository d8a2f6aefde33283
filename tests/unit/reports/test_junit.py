"""`junit.xml`: CI systems that read nothing else must not see green where the verdict is not."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

import pytest
import xmlschema

from harness.records import Ledger, RunRecord
from reports import junit
from tests.rows import each_row

TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def parsed(record: RunRecord) -> Element:
    return fromstring(junit.render(record).encode())  # noqa: S314 -- our own text


def cases(record: RunRecord, suite: str) -> dict[str, Element]:
    """The cases of one suite, by name."""
    found = parsed(record).find(f"testsuite[@name='{suite}']")
    assert found is not None
    return {one.get("name", ""): one for one in found.iter("testcase")}


def test_the_counts_agree_with_the_cases(any_record: RunRecord) -> None:
    """Of every suite, and of the whole."""
    root = parsed(any_record)
    for place in (root, *root.iter("testsuite")):
        assert int(place.get("tests", -1)) == len(list(place.iter("testcase")))
        for name, tag in TAGS.items():
            if place is root and name == "skipped":
                assert place.get(name) is None, "Jenkins' schema does not know it there"
                continue
            assert int(place.get(name, -1)) == len(list(place.iter(tag))), (place.get("name"), name)


def test_every_scenario_is_one_case_with_its_outcome(any_record: RunRecord) -> None:
    root = parsed(any_record)
    scenarios = [one for suite in root if suite.get("name") != "run" for one in suite.iter("testcase")]
    assert sorted(one.get("name", "") for one in scenarios) == sorted(
        f"{one.id} {one.title}" for one in any_record.scenarios
    )
    found = Counter(next((tag for tag in TAGS.values() if one.find(tag) is not None), "passed") for one in scenarios)
    told = Counter(
        {"failed": "failure", "passed": "passed"}.get(one.outcome, one.outcome) for one in any_record.scenarios
    )
    assert found == told


def test_only_go_is_green(any_record: RunRecord) -> None:
    """Whoever counts failures and errors sees what the exit code says."""
    root = parsed(any_record)
    red = int(root.get("failures", 0)) + int(root.get("errors", 0))
    assert (red == 0) is (any_record.exit_code == 0)


@each_row(
    ("kind", "tag", "word"),
    [
        ("no_go", "failure", "NO_GO"),
        ("inconclusive", "error", "INCONCLUSIVE"),
        ("harness_error", "error", "HarnessError"),
        ("empty", "error", "INCONCLUSIVE"),
    ],
)
def test_the_verdict_is_a_case_of_its_own(request: pytest.FixtureRequest, kind: str, tag: str, word: str) -> None:
    record: RunRecord = request.getfixturevalue(kind)
    bad = cases(record, "run")["verdict"].find(tag)
    assert bad is not None
    assert (bad.get("type"), bad.get("message")) == (word, record.headline)


def test_a_blame_on_the_harness_is_an_error_not_a_failure(go: RunRecord) -> None:
    ours = replace(go.scenarios[0], outcome="failed", blame="harness", message="our fake died")
    case = cases(replace(go, scenarios=(ours,)), ours.suite)[f"{ours.id} {ours.title}"]
    assert case.find("failure") is None
    assert case.find("error") is not None


def test_hostile_text_is_data(no_go: RunRecord) -> None:
    """It is read back as it was written, but for what XML cannot hold at all."""
    hostile = next(one for one in no_go.scenarios if "<script>" in one.message)
    case = cases(no_go, hostile.suite)[f"{hostile.id} {hostile.title}"]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == hostile.message.replace("\x00", "�").replace("\x1b", "�")
    assert hostile.reproduce in (failure.text or "")


def test_a_red_case_holds_what_is_needed_to_see_it_again(no_go: RunRecord) -> None:
    red = next(one for one in no_go.scenarios if one.outcome == "failed")
    text = cases(no_go, red.suite)[f"{red.id} {red.title}"].findtext("failure") or ""
    assert all(part in text for part in (red.given, red.when, red.then, *red.evidence, red.reproduce))


def test_an_open_ledger_and_a_leak_are_red_though_no_scenario_is(no_go: RunRecord) -> None:
    run = cases(no_go, "run")
    red = {name for name, case in run.items() if case.find("failure") is not None}
    assert "the ledger closes: nothing lost, nothing doubled, nothing on its way" in red
    assert "no personal data is written down in plain text" in red


def test_numbers_are_passed_failed_or_skipped(no_go: RunRecord) -> None:
    """Refuted is a failure, undecided a skip with its reason, met is neither."""
    run = cases(no_go, "run")
    for one in no_go.slo:
        case = next(case for name, case in run.items() if name.startswith(one.name))
        tag = {True: None, False: "failure", None: "skipped"}[one.met]
        assert {child.tag for child in case} == ({tag} if tag else set())


def test_what_was_not_judged_is_no_case(empty: RunRecord) -> None:
    """No webhook, no ledger; nothing searched, no word about leaks."""
    assert empty.ledger == Ledger()
    assert list(cases(empty, "run")) == ["verdict"]


def test_it_is_valid_against_its_schema(any_record: RunRecord) -> None:
    """`junit.xsd` beside this file: ours, and narrower than the one by which Jenkins' xUnit plugin reads."""
    schema = xmlschema.XMLSchema11(Path(__file__).with_name("junit.xsd"))
    schema.validate(junit.render(any_record))


@each_row(
    ("old", "new"),
    [
        ("<testcase ", "<test "),
        (' tests="', ' count="'),
        ('<testsuites name="golive"', '<testsuites skipped="1"'),
        ('time="', 'time="x'),
    ],
    shared=("empty",),
)
def test_the_schema_refuses_what_is_no_junit(empty: RunRecord, old: str, new: str) -> None:
    schema = xmlschema.XMLSchema11(Path(__file__).with_name("junit.xsd"))
    text = (
        junit.render(empty).replace(old, new, 1).replace("</testcase>", "</test>" if "<test " in new else "</testcase>")
    )
    with pytest.raises((xmlschema.XMLSchemaException, ParseError)):
        schema.validate(text)
