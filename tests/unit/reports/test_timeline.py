"""The course of an experiment, drawn into the page."""

from dataclasses import replace
from xml.etree import ElementTree

from harness.records import RunRecord, TimelineEvent
from reports import html, timeline
from tests.rows import each_row

EVENTS = (
    TimelineEvent(t_s=0.0, kind="fact", what="sales begin"),
    TimelineEvent(t_s=1.0, kind="fault", what="meta.brown_out (probability <0.3>)", until_s=5.0),
    TimelineEvent(t_s=2.0, kind="backlog", what="4 sales wait", value=4),
    TimelineEvent(t_s=3.0, kind="backlog", what="8 sales wait", value=8),
    TimelineEvent(t_s=4.0, kind="fact", what="breaker <open>"),
    TimelineEvent(t_s=7.0, kind="backlog", what="0 sales wait", value=0),
    TimelineEvent(t_s=8.0, kind="fact", what="recovered"),
)


def test_time_runs_from_the_left_edge_to_the_right() -> None:
    drawing = timeline.draw(EVENTS)
    assert drawing is not None
    assert [one.x for one in drawing.marks] == [8, 360, 712]
    assert (drawing.bars[0].x, drawing.bars[0].width) == (96, 352)
    assert drawing.peak == 8
    assert [one.label for one in drawing.ticks] == [f"{n} s" for n in range(9)]


def test_the_backlog_is_a_line_of_steps_with_its_peak_at_the_top() -> None:
    drawing = timeline.draw(EVENTS)
    assert drawing is not None
    assert drawing.line == "8,78 184,78 184,46 272,46 272,14 624,14 624,78 712,78"


@each_row(("begin_s", "end_s", "anchor"), [(0.0, 1.0, "start"), (7.0, 8.0, "end"), (0.5, 7.5, "middle")])
def test_a_label_is_never_cut_off_by_the_edge(begin_s: float, end_s: float, anchor: str) -> None:
    """To the right of its bar where there is room, else to the left, else in it."""
    fault = TimelineEvent(t_s=begin_s, kind="fault", what="meta.throttle (regain_minutes 0, code 80004)", until_s=end_s)
    drawing = timeline.draw((EVENTS[0], fault, EVENTS[-1]))
    assert drawing is not None
    bar = drawing.bars[0]
    assert bar.anchor == anchor
    wide = 6 * len(bar.label)
    left = bar.label_x - {"start": 0, "end": wide, "middle": wide / 2}[anchor]
    assert 0 <= left <= left + wide <= timeline.WIDTH


def test_nothing_happened_is_nothing_drawn() -> None:
    assert timeline.draw(()) is None


def test_the_page_holds_a_drawing_with_words_for_who_cannot_see_it(go: RunRecord) -> None:
    one = replace(go.scenarios[0], timeline=EVENTS)
    page = html.render(replace(go, scenarios=(one, *go.scenarios[1:])))
    begin = page.index("<svg", page.index("<figure"))
    drawing = ElementTree.fromstring(page[begin : page.index("</svg>", begin) + 6])  # noqa: S314 -- ours, and well-formed
    assert drawing.get("role") == "img"
    assert "at the worst moment 8 sales waited" in str(drawing.get("aria-label"))
    assert "breaker &lt;open&gt;" in page
    assert "<open>" not in page
    assert "meta.brown_out (probability &lt;0.3&gt;)" in page


def test_a_run_without_experiments_has_no_drawing(go: RunRecord) -> None:
    assert "<figure" not in html.render(go)


def test_a_record_keeps_its_timeline(go: RunRecord) -> None:
    import json

    one = replace(go.scenarios[0], timeline=EVENTS)
    record = replace(go, scenarios=(one,))
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))).scenarios[0].timeline == EVENTS
