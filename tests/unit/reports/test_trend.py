"""The trend of numbers: what is written is read again, only peers stand in a picture, and noise is told from news."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from harness.records import LoadCost, LoadCostPart, LoadResult, RunRecord
from reports import html, trend
from tests.rows import each_row


def line(number: int, value: float, **changes: Any) -> dict[str, Any]:
    """A run's line."""
    values = {"verify stripe": {"value": value, "low": value - 0.1, "high": value + 0.1, "unit": "times the floor"}}
    told = trend.entry(
        kind="bench",
        what="make bench",
        when=f"2026-02-{number:02}T12:00:00Z",
        commit=f"c{number}",
        machine="a machine",
        values=values,
    )
    return {**told, **changes}


def of(go: RunRecord) -> RunRecord:
    """A load run with its cost."""
    load = LoadResult(
        profile="smoke",
        planned_per_s=30.0,
        achieved_per_s=30.0,
        duration_s=8.0,
        requests=240,
        failures=0,
        scheduler_lag_p99_ms=1.0,
        meta_latency_median_ms=150,
        meta_latency_p95_ms=600,
        cost=LoadCost(
            events=240,
            parts=(
                LoadCostPart(name="target", cpu_s=2.0, cpu_s_per_1000=8.3, peak_memory_mb=300.0),
                LoadCostPart(name="golive", cpu_s=0.5, cpu_s_per_1000=2.1, peak_memory_mb=90.0),
            ),
            golive_percent=31.5,
            goal_percent=25.0,
        ),
    )
    return replace(go, kind="load", load=load)


def test_a_line_is_read_again_whatever_stands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"
    trend.add(path, line(1, 5.0))
    with path.open("ab") as out:
        out.write(
            b'{"half\n[]\nnull\n\xff\n{"kind": 1}\n'
            b'{"kind":"a","what":"","when":"","commit":"","machine":"","values":[]}\n'
        )
    trend.add(path, line(2, 5.1))
    assert trend.read(path) == [line(1, 5.0), line(2, 5.1)]
    assert trend.read(tmp_path / "none") == []


def test_only_peers_that_began_no_later_stand_beside_a_run() -> None:
    now = line(9, 5.0)
    others = [line(1, 1.0, machine="another"), line(2, 1.0, what="load"), line(20, 1.0), line(3, 1.0, kind="load")]
    assert trend.peers(now, [line(5, 4.0), *others, now]) == [line(5, 4.0), now]


def test_not_more_than_so_many_are_shown() -> None:
    lines = [line(day, float(day)) for day in range(1, 29)]
    shown = trend.peers(lines[-1], lines)
    assert len(shown) == trend.MOST
    assert shown[-1] == lines[-1]


@each_row(("last", "word"), [(5.05, "; inside the noise"), (6.5, "; outside the noise")])
def test_noise_is_told_from_news(last: float, word: str) -> None:
    runs = [line(day, 5.0 + 0.1 * (-1) ** day) for day in range(1, 9)] + [line(9, last)]
    (drawn,) = trend.pictures(runs)
    assert word in drawn.summary
    assert drawn.noise is not None
    top, height = drawn.noise
    inside = [top <= one.y <= top + height for one in drawn.points]
    assert all(inside[:-1])
    assert inside[-1] == ("inside" in word)


def test_runs_that_agree_by_chance_make_no_news_of_the_next() -> None:
    (drawn,) = trend.pictures([line(day, 5.0) for day in range(1, 9)] + [line(9, 5.05)])
    assert "; inside the noise" in drawn.summary


def test_few_runs_claim_no_noise() -> None:
    (drawn,) = trend.pictures([line(day, 5.0) for day in range(1, 5)])
    assert (drawn.noise, "noise" in drawn.summary) == (None, False)
    assert trend.pictures([line(1, 5.0)]) == []


def test_a_picture_is_true_to_its_numbers() -> None:
    """A greater number stands higher, an interval about its point, and all inside the frame."""
    (drawn,) = trend.pictures([line(1, 5.0), line(2, 6.0), line(3, 4.0)])
    first, second, third = drawn.points
    assert second.y < first.y < third.y
    assert first.x < second.x < third.x <= trend.WIDTH
    assert all(0 < one.high_y < one.y < one.low_y < trend.HEIGHT for one in drawn.points)


def test_what_is_no_number_is_passed_over() -> None:
    odd = line(2, 5.0, values={"verify stripe": {"value": "x"}})
    (drawn,) = trend.pictures([line(1, 5.0), odd, line(3, 5.2)])
    assert len(drawn.points) == 2


def test_a_load_page_shows_cost_and_trend_without_scripts_and_escaped(go: RunRecord) -> None:
    record = of(go)
    now = trend.of_load(record)
    assert now is not None
    earlier = {**now, "when": "2020-01-01T00:00:00Z", "commit": "<b>hostile</b>"}
    page = html.render(record, trend_runs=trend.peers(now, [earlier, now]))
    section = page[page.index('<section id="load-trend">') :]
    section = section[: section.index("</section>")]
    assert "&lt;b&gt;hostile" in section
    assert "<b>hostile" not in page
    assert "<script" not in page
    drawings = [one.split("</svg>")[0] + "</svg>" for one in section.split("<svg")[1:]]
    assert len(drawings) == len(now["values"])
    assert all(ET.fromstring("<svg" + one).get("aria-label") for one in drawings)  # noqa: S314 -- our own page
    assert "golive and its fakes took 31.5 % of the CPU, the generator apart: 25 % or more is too much." in page


def test_a_run_without_load_has_no_trend_of_numbers(go: RunRecord) -> None:
    assert trend.of_load(replace(go, load=None)) is None
    assert 'id="load-trend"' not in html.render(replace(go, load=None))


def test_a_cost_survives_the_file(go: RunRecord) -> None:
    record = of(go)
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))).load == record.load


def test_a_page_of_its_own_escapes_what_it_shows() -> None:
    page = trend.page("<i>Title", [line(1, 5.0), line(2, 5.1)], [{"what": "<b>x", "one call": "1 µs"}])
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert "&lt;i&gt;Title" in page
    assert "<script" not in page
