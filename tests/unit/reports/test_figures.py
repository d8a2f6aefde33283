"""One object makes them all: no figure of report.json, the page, the Markdown and JUnit differs, rounding included."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from random import Random
from xml.etree.ElementTree import fromstring

import pytest

from harness.checks import verdict
from harness.readiness import rows
from harness.records import RunRecord, SloResult, figure
from reports import html, junit, markdown, view, words
from reports.write import report_json

ENDS = ("delivered", "suppressed", "expired", "held", "dead_lettered", "pending", "lost", "doubled")


class Tables(HTMLParser):
    """The cells of every table row of the page, and the ledger's figures by name."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.ledger: dict[str, str] = {}
        self._cell = False
        self._number = self._name = ""
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data
        elif self._tag == "dd":
            self._number = data.strip()
        elif self._tag == "dt" and self._number:
            self.ledger[data.strip()] = self._number
            self._number = ""


def cells(line: str) -> list[str]:
    """Of a row of a Markdown table, as it is shown."""
    shown = re.sub(r"\\(.)", r"\1", line.strip("|")).replace("&lt;", "<").replace("&gt;", ">")
    return [one.strip() for one in shown.split("|")]


def numbers(read: object) -> Iterator[SloResult]:
    """What a reader of report.json has."""
    assert isinstance(read, dict)
    for one in read["slo"]:
        yield SloResult(**{**one, "ci95": tuple(one["ci95"]) if one["ci95"] else None})


def awkward(record: RunRecord) -> RunRecord:
    """Numbers that look like their target when they are rounded, and numbers with many digits."""
    rng = Random(11)
    changed = []
    for place, one in enumerate(record.slo):
        near = one.target * (1 - 10.0 ** -(place + 2)) if one.measured is not None else None
        interval = (near * 0.999_983, near + rng.random() * 1e-3) if near is not None and one.ci95 else None
        changed.append(replace(one, measured=near, ci95=interval))
    return replace(record, slo=tuple(changed))


@pytest.fixture(params=["as it is", "awkward"])
def told(request: pytest.FixtureRequest, no_go: RunRecord) -> RunRecord:
    return no_go if request.param == "as it is" else awkward(no_go)


def test_service_levels_are_told_the_same(told: RunRecord) -> None:
    page = {row[0].partition(told.slo[0].note or "\0")[0]: row for row in Tables(html.render(told)).rows if row}
    text = [cells(line) for line in markdown.render(told).splitlines() if line.startswith("|")]
    junit_cases = list(fromstring(junit.render(told)).iter("testcase"))  # noqa: S314 -- our own text
    for one in numbers(json.loads(report_json(told))):
        shown = [words.slo_target(one), words.slo_measured(one), words.slo_interval(one), f"{one.samples:,}"]
        on_page = next(row for name, row in page.items() if name.startswith(one.name))
        assert [on_page[1], *on_page[3:6]] == shown
        assert [row[1:5] for row in text if row[0] == one.name] == [shown]
        state = words.plain(words.slo_state(one))
        assert state in on_page[6]
        assert [row[5] for row in text if row[0] == one.name] == [state]
        case = next(case for case in junit_cases if str(case.get("name")).startswith(one.name))
        assert case.get("name") == f"{one.name} {shown[0]}"
        for bad in case:
            if not one.note or bad.tag == "failure":
                said = f"measured {shown[1]}, 95 % interval {shown[2]}, {shown[3]} samples"
                assert said in str(bad.get("message"))


def test_sentences_tell_a_number_as_tables_do(told: RunRecord) -> None:
    """Reasons and evidence are made elsewhere; their figures are the tables'."""
    for one in told.slo:
        for sentence in (verdict._measured(one), rows.number(one)):
            if one.measured is not None:
                assert f"{words.slo_measured(one)}, " in sentence
                assert one.ci95 is None or words.slo_interval(one) in sentence
    assert figure(199.996, 200) == words.figure(199.996, 200) == "199.996"


def test_the_ledger_is_told_the_same(told: RunRecord) -> None:
    book = json.loads(report_json(told))["ledger"]
    page = Tables(html.render(told)).ledger
    text = markdown.render(told)
    for name in ENDS:
        assert page[words.plain(name).replace("dead lettered", "dead-lettered")] == f"{book[name]:,}"
        if book[name]:
            assert f"{book[name]:,} {words.plain(name)}" in text
    assert f"{book['deliveries']:,} webhooks sent" in text
    case = next(one for one in fromstring(junit.render(told)).iter("testcase") if "ledger" in str(one.get("name")))  # noqa: S314
    assert case[0].get("message") == f"{book['lost']} lost, {book['doubled']} doubled, {book['pending']} pending"


def test_the_launch_plan_is_counted_the_same(told: RunRecord) -> None:
    read = json.loads(report_json(told))
    text = {cells(line)[0]: cells(line) for line in markdown.render(told).splitlines() if line.startswith("|")}
    page = " ".join(html.render(told).split())
    for story in view.stories(view.plan(told)):
        mine = [row for row in (*read["stories"], *read["checklist"]) if row["story"] == story.id]
        name = story.title if story.id.startswith("checklist/") else f"{story.id} {story.title}"
        shown = [str(sum(row["state"] == state for row in mine) or "") for state in markdown._STATES]
        assert text[name][1:] == shown
        counts = ", ".join(
            f"{number} {words.plain(state)}"
            for state in view.STATES
            if (number := sum(row["state"] == state for row in mine))
        )
        assert counts in page


def test_suites_and_durations_are_told_the_same(told: RunRecord) -> None:
    page, text = " ".join(html.render(told).split()), markdown.render(told)
    root = fromstring(junit.render(told))  # noqa: S314 -- our own text
    for suite in view.suites(told):
        took = words.seconds(suite.duration_s)
        assert re.search(rf"<h3>{suite.name} <span[^>]*>[^<]*, {took}</span>", page)
        row = next(cells(line) for line in text.splitlines() if line.startswith(f"| {suite.name} |"))
        assert row[-1] == took
        of_junit = next(one for one in root if one.get("name") == suite.name)
        assert float(str(of_junit.get("time"))) == pytest.approx(suite.duration_s, abs=5e-4)
        assert [int(str(of_junit.get(name))) for name in ("failures", "errors", "skipped")] == [
            suite.counts["failed"], suite.counts["error"], suite.counts["skipped"]
        ]  # fmt: skip
        assert row[2:5] == [str(suite.counts[one]) for one in ("failed", "error", "skipped")]
