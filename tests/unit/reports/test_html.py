"""`index.html`: one file that fetches nothing, runs nothing, and says everything in words."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from harness.records import PlanRow, RowState, RunRecord, Verdict
from reports import html, view, words
from tests.rows import each_row

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """What a browser would make of it: elements, attributes, ids, and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def words(self) -> str:
        """All text, in one line."""
        return " ".join("".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def page(record: RunRecord) -> Page:
    return Page(html.render(record))


def squeezed(text: str) -> str:
    return " ".join(text.split())


def hostile(record: RunRecord, text: str) -> RunRecord:
    """The record with this text wherever a target or a plan can put one."""
    scenarios = [
        replace(
            one,
            title=text,
            suite=text,
            message=text,
            given=text,
            when=text,
            then=text,
            evidence=(text,),
            reproduce=text,
        )
        for one in record.scenarios
    ]
    rows = [replace(row, text=text, story_title=text, evidence=(text,), reproduce=text) for row in record.stories]
    return replace(
        record,
        run_id=text,
        target=replace(record.target, name=text, commit=text),
        machine=text,
        command=text,
        headline=text,
        reasons=(text, f"`{text}`"),
        next_steps=(text, f"`{text}`"),
        harness_errors=(text,),
        scenarios=tuple(scenarios),
        stories=tuple(rows),
        slo=tuple(replace(one, name=text, note=text, unit=text) for one in record.slo),
        privacy=replace(record.privacy, leaks=(text,), places=(text,)),
        load=replace(record.load, profile=text) if record.load else None,
        timings={text: 1.0},
        alarms=(
            {"name": text, "fires": True, "silent": None, "once": False, "resolves": None, "minutes_to_page": None},
        ),
    )


def test_it_is_whole(any_record: RunRecord) -> None:
    """Every element is closed, every id is there once, every link within the page leads somewhere."""
    read = page(any_record)
    assert not read.open
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {one.removeprefix("#") for one in read.values("href")} <= set(ids)


def test_it_fetches_nothing_and_runs_nothing(any_record: RunRecord) -> None:
    """No script, no handler, no address but one within the page; and a policy that forbids them besides."""
    text = html.render(any_record)
    read = Page(text)
    names = {tag for tag, _ in read.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "video", "audio"}
    assert all(one.startswith("#") for one in read.values("href"))
    assert not read.values("src")
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|expression", style)
    policy = next(one["content"] for tag, one in read.elements if one.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@each_row(
    "text",
    [
        "<script>alert('x')</script>",
        "</style><script>x</script>",
        '"><img src=x onerror=x>',
        "' onmouseover='x",
        "<!-- never closed",
        "{{ 7 * 7 }}{% raise %}",
        "&lt;script&gt;",
        "`<b>x</b>`",
    ],
    shared=("no_go",),
)
def test_hostile_text_is_shown_and_not_obeyed(no_go: RunRecord, text: str) -> None:
    """The page has the elements that it has with harmless text, and shows the text as it is."""
    harmless, spoilt = page(hostile(no_go, "harmless")), page(hostile(no_go, text))
    added = 0 if "`" not in text else None  # backticks make a command of what they enclose
    if added == 0:
        assert [tag for tag, _ in spoilt.elements] == [tag for tag, _ in harmless.elements]
    assert {tag for tag, _ in spoilt.elements} == {tag for tag, _ in harmless.elements}
    assert {name for _, attributes in spoilt.elements for name in attributes} == {
        name for _, attributes in harmless.elements for name in attributes
    }
    assert text in spoilt.words


def test_it_says_the_verdict_in_a_word_and_what_it_means(any_record: RunRecord) -> None:
    """In the title too: a tab is often all that is seen."""
    read = page(any_record)
    assert read.words.startswith(words.verdict_word(any_record))
    assert words.verdict_meaning(any_record) in read.words
    assert words.headline(any_record) in read.words


def test_it_shows_all_that_was_recorded(any_record: RunRecord) -> None:
    """Every reason, next step, promise, row, number and error stands on the page."""
    said = page(any_record).words
    told = (*any_record.reasons, *any_record.next_steps)
    reasons = [squeezed(words.printable(one).replace("`", "")) for one in told]
    assert not [one for one in reasons if one not in said.replace("`", "")]
    assert not [one.id for one in any_record.scenarios if squeezed(one.title) not in said]
    assert not [row.id for row in view.plan(any_record) if row.id not in said or row.text not in said]
    assert not [one.name for one in any_record.slo if words.slo_measured(one) not in said]
    assert not [one for one in any_record.harness_errors if one not in said]
    assert any_record.command in said


@each_row("state", list(RowState), shared=("go",))
def test_every_state_has_its_word_and_its_filter(go: RunRecord, state: RowState) -> None:
    """Colour is never alone, and each state that is there can be picked."""
    rows = tuple(replace(row, state=state) for row in go.stories[:3])
    read = page(replace(go, stories=rows, checklist=()))
    assert f"{words.STATE_SIGNS[state]} {words.plain(state)}" in read.words
    assert f"only-{state.value}" in read.values("id")
    assert [one for one in read.values("id") if one.startswith("only-")] == [f"only-{state.value}"]


def test_the_filters_count_the_rows(go: RunRecord) -> None:
    said = page(go).words
    rows: tuple[PlanRow, ...] = view.plan(go)
    assert f"all {len(rows)}" in said
    for state in {row.state for row in rows}:
        assert f"{words.plain(state)} {sum(row.state is state for row in rows)}" in said


def test_what_is_red_stands_open_before_what_is_not(no_go: RunRecord) -> None:
    """The worst first: nobody has to look for it."""
    said = page(no_go).words
    promises = said[said.index("Promises: what was tested") :]
    red = [one for one in no_go.scenarios if one.outcome == "failed"]
    kept = next(one for one in no_go.scenarios if one.suite == "smoke")
    assert max(promises.index(one.id) for one in red) < promises.index(kept.id.partition("[")[0])
    opened = [attributes for tag, attributes in page(no_go).elements if tag == "details" and "open" in attributes]
    assert len(opened) >= len({one.id.partition("[")[0] for one in red})


def test_of_a_promise_that_is_broken_for_many_one_stands_open(no_go: RunRecord) -> None:
    """Everything broken for five vendors filled 208 sheets of paper; the rest is a line each, to be opened."""
    first = next(one for one in no_go.scenarios if one.outcome == "failed")
    name = first.id.partition("[")[0]
    many = tuple(replace(first, id=f"{name}[vendor-{number}]") for number in range(20))
    rest = tuple(one for one in no_go.scenarios if one.id.partition("[")[0] != name)

    def opened(record: RunRecord) -> int:
        return sum(tag == "details" and "open" in attributes for tag, attributes in page(record).elements)

    alone = opened(replace(no_go, scenarios=(*rest, many[0])))
    assert opened(replace(no_go, scenarios=(*rest, *many))) == alone


def test_sections_that_have_nothing_to_say_say_so(empty: RunRecord) -> None:
    said = page(empty).words
    for told in (
        "No webhook was sent",
        "No scenario was run",
        "None was measured here",
        "Nothing was searched",
        "No experiment was part",
        "No alarm was tried",
    ):
        assert told in said


@each_row(("kind", "checked"), [("no_go", "only-not_met"), ("go", None), ("empty", None)])
def test_what_is_not_met_is_picked_first(request: pytest.FixtureRequest, kind: str, checked: str | None) -> None:
    """Nobody reads 187 rows to find eight; where none is red, all are shown."""
    read = page(request.getfixturevalue(kind))
    picked = [one.get("id") for tag, one in read.elements if tag == "input" and "checked" in one]
    assert picked == [checked]


def test_a_filter_does_not_hide_rows_on_paper(no_go: RunRecord) -> None:
    """A printed report is the whole one, whatever was picked on the screen."""
    style = html.render(no_go).partition("<style>")[2].partition("</style>")[0]
    on_screen = style[style.index("@media screen") :]
    assert style.count(":checked) .row") == on_screen.count(":checked) .row") > 0


def test_the_verdict_box_shows_how_much_of_the_plan_was_seen(go: RunRecord) -> None:
    """A GO over 38 of 187 rows must not look like a GO over all of them."""
    said = page(go).words
    whole = view.whole(view.plan(go))
    box = said[: said.index("Why")]
    assert f"{whole.counts[RowState.MET]} met" in box
    assert f"{whole.counts[RowState.NOT_OBSERVED]} not observed" in box


# -- colours -------------------------------------------------------------------------------------------------------


def themes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet by name, for light and dark."""
    sheet = (files("reports") / "templates" / "style.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in _roots(sheet)[:2])
    return {"light": light, "dark": light | dark}


def _roots(sheet: str) -> list[str]:
    return re.findall(r":root \{([^}]*)\}", sheet)


def contrast(one: str, other: str) -> float:
    """Source: WCAG 2.2, relative luminance and contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TONES = ("good", "bad", "warn", "ours", "none")
TEXT = [
    *((tone, f"{tone}-tint") for tone in TONES),
    *(("ink", f"{tone}-tint") for tone in TONES),
    *((ink, ground) for ink in ("ink", "soft") for ground in ("page", "card", "code")),
    ("link", "page"),
    ("bad", "card"),
]
BARS = [(bar, "none-tint") for bar in ("good", "bad", "amber", "link")]


@each_row("theme", ["light", "dark"])
@each_row(("ink", "ground", "least"), [*((*one, 4.5) for one in TEXT), *((*one, 3.0) for one in BARS)])
def test_every_colour_can_be_read(theme: str, ink: str, ground: str, least: float) -> None:
    """WCAG AA: 4.5 for text, 3 for what is drawn."""
    colours = themes()[theme]
    assert contrast(colours[ink], colours[ground]) >= least


def test_a_go_of_one_run_is_not_taken_for_the_launchs(no_go: RunRecord) -> None:
    """A stranger who saw the bare word would have launched with 179 lines of the plan that nobody had looked at."""
    ran = replace(no_go, kind="load", verdict=Verdict.GO)
    assert "GO for what was tested" in page(ran).words
    assert "No launch decision" in page(ran).words
    assert "for what was tested" not in page(replace(ran, kind="readiness")).words
    assert "for what was tested" not in page(no_go).words


def test_an_option_is_not_torn_after_its_dashes(no_go: RunRecord) -> None:
    """Copied from paper, "- -seed" is another command."""
    told = replace(no_go, next_steps=("Again: `golive run --seed 5 --target a/very/long/path/to/some/file.toml`",))
    text = html.render(told)
    assert 'golive run <span class="w">--seed</span> 5 <span class="w">--target</span> a/very' in text
