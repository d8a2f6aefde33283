"""The pictures of a load run: true to their numbers, in the frame, small, and with words for who cannot see them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.records import LoadDistribution, LoadMark, LoadResult, LoadSeries, RunRecord
from reports import html, plots
from tests.rows import each_row


def load_of(record: RunRecord) -> LoadResult:
    """The load that the record surely has."""
    assert record.load is not None
    return record.load


def figures(page: str) -> list[ET.Element]:
    """Every drawing of the load section, parsed."""
    section = page[page.index('<section id="load">') :]
    section = section[: section.index("</section>")]
    drawn = re.findall(r"<svg.*?</svg>", section, flags=re.DOTALL)
    return [ET.fromstring(one) for one in drawn]  # noqa: S314 -- our own page


def series(**changes: Any) -> LoadSeries:
    """Ten seconds at 20 ms."""
    flat = (20.0,) * 10
    known: dict[str, Any] = {
        "step_s": 1.0,
        "due": (10,) * 10,
        "failed": (0,) * 10,
        "p50_ms": flat,
        "p95_ms": flat,
        "max_ms": flat,
        "backlog": (1,) * 10,
    }
    return LoadSeries(**{**known, **changes})


def points(line: plots.Line) -> list[tuple[float, float]]:
    """Of all pieces."""
    found = [one.split(",") for piece in line.pieces for one in piece.split()]
    return [(float(x), float(y)) for x, y in found]


def test_a_load_run_has_its_four_pictures_each_with_words(no_go: RunRecord) -> None:
    """Knee, latency, backlog, distribution; whoever cannot see them is told what they show."""
    made = figures(html.render(no_go))
    assert [one.name for one in plots.of(no_go)] == ["knee", "latency", "backlog", "distribution"]
    assert len(made) == 4
    assert all(one.get("role") == "img" and len(one.get("aria-label") or "") > 40 for one in made)


def test_everything_drawn_is_inside_its_frame(no_go: RunRecord) -> None:
    """A line that leaves the picture is a line that nobody sees."""
    for svg in figures(html.render(no_go)):
        for one in svg.iter():
            for name, most in (("x", plots.WIDTH), ("x1", plots.WIDTH), ("cx", plots.WIDTH), ("y1", plots.HEIGHT)):
                assert 0 <= float(one.get(name, "0")) <= most
            for pair in one.get("points", "").split():
                x, y = (float(value) for value in pair.split(","))
                assert 0 <= x <= plots.WIDTH
                assert 0 <= y <= plots.FLOOR_Y


def test_a_slow_second_is_drawn_higher_and_above_the_target() -> None:
    """And every other one under it."""
    p95 = tuple(900.0 if one == 4 else 20.0 for one in range(10))
    made = plots.latency(series(p95_ms=p95, max_ms=p95), (), target_ms=200.0)
    assert made is not None
    drawn = points(next(one for one in made.lines if one.tone == "p95"))
    target_y = made.rules[0].at
    assert [y < target_y for _, y in drawn] == [one == 4 for one in range(10)]
    assert "over 200 ms in 1 of 10 seconds" in made.summary


def test_a_line_is_broken_where_nothing_is_known() -> None:
    """Nothing is drawn through a gap; a lone value between two gaps is still seen."""
    p50 = (20.0, 20.0, None, 20.0, None, 20.0, 20.0, 20.0, 20.0, 20.0)
    made = plots.latency(series(p50_ms=p50), (), target_ms=200.0)
    assert made is not None
    pieces = next(one for one in made.lines if one.tone == "p50").pieces
    assert [len(one.split()) for one in pieces] == [2, 2, 5]


def test_an_outage_and_a_freeze_stand_where_they_were() -> None:
    """Marked, told apart, and named in the words."""
    marks = (
        LoadMark(what="Meta gone", from_s=2.0, until_s=5.0, kind="fault"),
        LoadMark(what="nothing was answered for 2.0 s", from_s=6.0, until_s=8.0, kind="stall"),
    )
    made = plots.latency(series(), marks, target_ms=200.0)
    assert made is not None
    fault, stall = made.bands
    whole = plots.WIDTH - 64 - 16
    assert (fault.x, fault.width) == pytest.approx((64 + whole * 0.2, whole * 0.3), abs=0.2)
    assert fault.x + fault.width < stall.x
    assert (fault.kind, stall.kind) == ("fault", "stall")
    assert "Meta gone from 2 to 5 s" in made.summary


def test_the_share_that_was_too_slow_is_told() -> None:
    """A tenth over the target; unanswered ones are among them."""
    found = LoadDistribution(
        edges_ms=(1.0, 100.0, 200.0, 1_000.0), corrected=(500, 400, 90), uncorrected=(500, 400, 5), unanswered=10
    )
    made = plots.distribution(found, target_ms=200.0)
    assert made is not None
    assert "about 10 % took longer" in made.summary
    assert "10 were never answered" in made.summary
    corrected = points(next(one for one in made.lines if one.tone == "corrected"))
    five_percent_y = next(one.at for one in made.rules if not one.upright)
    at_target = min(y for x, y in corrected if x <= made.rules[0].at)
    assert at_target < five_percent_y  # the line is above 5 % where it meets the target: not kept


def test_the_knee_shows_every_step_and_what_held(no_go: RunRecord) -> None:
    """Filled marks held, hollow ones did not; the line stands at what is claimed."""
    found = load_of(no_go).knee
    assert found is not None
    made = plots.knee(found, target_ms=200.0)
    assert made is not None
    assert [one.good for one in made.dots] == [True, False] * 3
    (claimed,) = [one for one in made.rules if one.upright]
    assert claimed.at == made.dots[0].x
    undecided = plots.knee(replace(found, decided=False), target_ms=200.0)
    assert undecided is not None
    assert not [one for one in undecided.rules if one.upright]  # no line for what is not claimed


def test_a_run_without_load_has_no_pictures(go: RunRecord) -> None:
    """And no empty frames."""
    assert plots.of(go) == ()
    assert '<section id="load">' not in html.render(go)


def test_an_hour_of_load_stays_a_small_page(no_go: RunRecord) -> None:
    """Under 2 MB, whatever the latencies were."""
    count = 400
    wild = tuple(1.0 + (one * 7_919) % 60_000 for one in range(count))
    long = series(due=(100,) * count, failed=(0,) * count, p50_ms=wild, p95_ms=wild, max_ms=wild, step_s=9.0)
    long = replace(long, backlog=tuple(range(count)), queue=wild, memory_mb=wild)
    record = replace(no_go, load=replace(load_of(no_go), series=long))
    assert len(html.render(record).encode()) < 2_000_000


@each_row("p95", [(0.0,) * 10, (None,) * 10, (1e9,) * 10], shared=("no_go",))
def test_no_number_breaks_the_page(no_go: RunRecord, p95: tuple[float | None, ...]) -> None:
    """Nothing, nought, and far too much."""
    odd = series(p50_ms=p95, p95_ms=p95, max_ms=p95, backlog=(0,) * 10)
    record = replace(no_go, load=replace(load_of(no_go), series=odd))
    for svg in figures(html.render(record)):
        assert svg.get("viewBox") == f"0 0 {plots.WIDTH} {plots.HEIGHT}"
