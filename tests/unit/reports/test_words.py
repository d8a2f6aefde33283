"""Figures and states in words, and what no reader could see."""

import re
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.records import RowState, RunRecord, SloResult, Verdict
from reports import annotations, html, junit, markdown, view, words
from tests.rows import each_row

NUMBER = SloResult(name="p95", target=200, unit="ms", measured=150.0, samples=9, ci95=(140.0, 160.0), met=True)


@each_row("render", [html.render, markdown.render, junit.render], ids=["html", "markdown", "junit"], shared=("no_go",))
@each_row("bad", ["\x00", "\x1b", "\x9b", "\u202e", "\u2066", "\ufffe"])
def test_what_nobody_can_see_is_marked(no_go: RunRecord, render: Callable[[RunRecord], str], bad: str) -> None:
    """A NUL makes the file binary, an escape colours the terminal, an override turns the text round."""
    text = f"before{bad}after"
    scenarios = tuple(replace(one, message=text, reproduce=text) for one in no_go.scenarios)
    rendered = render(replace(no_go, scenarios=scenarios, reasons=(text,)))
    assert bad not in rendered
    assert "before�after" in rendered


@each_row("text", ["São Paulo, R$ 10,00\tok\n", "€ 日本語 🚀", "a\u00a0b"])
def test_what_people_write_is_left_alone(text: str) -> None:
    assert words.printable(text) == text


@each_row(
    ("value", "target", "shown"),
    [
        (199.996, 200, "199.996"),  # four digits would read 200, which is not under 200
        (200.0, 200, "200"),
        (99.9004, 99.9, "99.9004"),
        (152.34, 200, "152.3"),
        (2_574.52, 2_000, "2,575"),
        (0.0, None, "0"),
        (0.04, None, "0.04"),
    ],
)
def test_a_figure_never_looks_equal_to_its_target(value: float, target: float | None, shown: str) -> None:
    assert words.figure(value, target) == shown


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_no_figure_is_rounded_onto_its_target(value: float, target: float) -> None:
    shown = words.figure(value, target).replace(",", "")
    assert (float(shown) == target) is (value == target)


@each_row(
    ("value", "shown"),
    [(0.0, "0.00 s"), (0.04, "0.04 s"), (1.23, "1.2 s"), (58.4, "58 s"), (100, "1 min 40 s"), (124, "2 min 4 s")],
)
def test_seconds_are_put_into_words(value: float, shown: str) -> None:
    assert words.seconds(value) == shown


@each_row(
    ("one", "target", "measured", "interval", "state"),
    [
        (replace(NUMBER, target=99.999), "< 99.999 ms", "150 ms", "140 to 160 ms", RowState.MET),
        (NUMBER, "< 200 ms", "150 ms", "140 to 160 ms", RowState.MET),
        (replace(NUMBER, met=False), "< 200 ms", "150 ms", "140 to 160 ms", RowState.NOT_MET),
        (replace(NUMBER, unit="%", met=None), "> 200 %", "150 %", "140 to 160 %", RowState.UNDECIDED),
        (replace(NUMBER, measured=None, ci95=None, met=None), "< 200 ms", "–", "–", RowState.NOT_OBSERVED),
        (replace(NUMBER, measured=None, ci95=None, met=False), "< 200 ms", "–", "–", RowState.NOT_MET),
    ],
)
def test_a_number_is_told_the_same_everywhere(
    one: SloResult, target: str, measured: str, interval: str, state: RowState
) -> None:
    told = (words.slo_target(one), words.slo_measured(one), words.slo_interval(one), words.slo_state(one))
    assert told == (target, measured, interval, state)


def test_a_load_tells_the_percentiles_that_it_knows(no_go: RunRecord) -> None:
    """The plan asks for a baseline of p50, p95 and p99; what is not known is not told."""
    assert no_go.load is not None
    known = words.load_sentence(no_go.load)
    assert known.endswith(
        "Webhooks were answered in: p50 81.2 ms, p95 180.5 ms (uncorrected p95 149.5 ms), "
        "p99 203.4 ms (uncorrected p99 151 ms)."
    )
    unknown = replace(no_go.load, ack_p50_ms=None, ack_p99_ms=None, ack_p95_ms=None, uncorrected_p95_ms=None)
    unknown = replace(unknown, uncorrected_p99_ms=None)
    assert words.load_sentence(unknown) + known.partition("600 ms p95.")[2] == known


def test_every_verdict_and_state_has_its_words() -> None:
    """And no two share a sign: in print, colour is gone."""
    assert set(words.VERDICT_WORDS) == set(words.VERDICT_SIGNS) == set(words.MEANINGS) == set(Verdict)
    assert set(words.STATE_SIGNS) == set(RowState)
    assert len(set(words.STATE_SIGNS.values())) == len(RowState)


def test_the_headline_does_not_repeat_the_word_beside_it(any_record: RunRecord) -> None:
    text = words.headline(any_record)
    assert not text.startswith(words.verdict_word(any_record))
    assert re.match(r"[A-Z0-9]", text)
    assert text.endswith(".")


def test_variants_of_a_promise_are_one_promise_as_bad_as_its_worst(no_go: RunRecord) -> None:
    suites = {suite.name: suite for suite in view.suites(no_go)}
    wrong_secret = next(one for one in suites["gateways"].promises if one.id == "G-01")
    assert [one.id for one in suites["gateways"].promises][:2] == ["G-01", "G-07"]  # the red ones
    assert suites["smoke"].promises[0].id == "S-02"  # red, before S-01
    assert len(wrong_secret.variants) == 4
    assert (wrong_secret.outcome, wrong_secret.first.outcome) == ("failed", "failed")
    assert {view.variant(one) for one in wrong_secret.variants} == {
        f"{gateway}-vendor" for gateway in ("perfectpay", "hotmart", "kiwify", "stripe")
    }
    assert sum(len(suite.results) for suite in suites.values()) == len(no_go.scenarios)


@each_row("render", [html.render, markdown.render], ids=["html", "markdown"], shared=("go",))
def test_the_verdict_has_one_wording(render: Callable[..., str], go: RunRecord) -> None:
    """A stranger launched by the bare word: what a GO of one run is for stands beside it, everywhere the same."""
    line = words.verdict_line(go)
    assert re.fullmatch(r"GO for what was tested \(\d+ of 191 rows\); no launch decision", line)
    assert line in render(go)
    (notice, *_) = annotations.lines(go, file=None)
    assert line in notice.replace("%2C", ",").replace("%3A", ":")
    assert words.verdict_line(replace(go, kind="readiness")) == "GO"
