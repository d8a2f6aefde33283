"""The course of an experiment, arranged for drawing: where bars, marks and the line of the backlog go. No markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records import TimelineEvent

_Place = Callable[[float], float]

#: All in the drawing's own units, which the browser scales to the width that there is.
WIDTH = 720
_LEFT, _RIGHT = 8, 8
_TOP = 14
_BACKLOG_HIGH = 64
_LANE_HIGH = 22
_AXIS_HIGH = 24
_MOST_TICKS = 10
_LETTER_WIDE = 6.2
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A fault while it lasted."""

    x: float
    y: float
    width: float
    label: str
    label_x: float
    anchor: Literal["start", "end", "middle"]
    """Which part of the label is at `label_x`; `middle`: it stands in the bar, for neither side has room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at one moment."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything, placed."""

    height: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    line: str
    """Of the backlog, as the `points` of a polyline; empty where none was seen."""
    peak: int
    floor_y: float
    """Where the backlog is 0."""
    lanes_end_y: float
    summary: str
    """For who cannot see it."""


def draw(events: Sequence[TimelineEvent]) -> Drawing | None:
    """Place the events; None where there is nothing to draw."""
    if not events:
        return None
    end_s = max(max(one.t_s, one.until_s or 0.0) for one in events) or 1.0

    def x(t_s: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * t_s / end_s, 1)

    faults = [one for one in events if one.kind == "fault"]
    waits = [one for one in events if one.kind == "backlog"]
    peak = max((int(one.value or 0) for one in waits), default=0)
    floor_y = float(_TOP + _BACKLOG_HIGH)
    lanes_y = floor_y + 10
    lanes_end_y = lanes_y + _LANE_HIGH * len(faults)
    return Drawing(
        height=lanes_end_y + _AXIS_HIGH,
        bars=tuple(_bar(one, x, lanes_y + _LANE_HIGH * lane) for lane, one in enumerate(faults)),
        marks=tuple(Mark(x=x(one.t_s), label=f"{one.t_s:.1f} s: {one.what}") for one in events if one.kind == "fact"),
        ticks=_ticks(end_s, x),
        line=_line(waits, end_s, x, peak=peak, floor_y=floor_y),
        peak=peak,
        floor_y=floor_y,
        lanes_end_y=lanes_end_y,
        summary=f"{len(faults)} faults over {end_s:.0f} seconds; at the worst moment {peak} sales waited",
    )


def _bar(one: TimelineEvent, x: _Place, y: float) -> Bar:
    begin, end = x(one.t_s), x(max(one.until_s or one.t_s, one.t_s))
    long = _LETTER_WIDE * len(one.what) + 6
    anchor: Literal["start", "end", "middle"] = "middle"
    label_x = (begin + end) / 2
    if end + long <= WIDTH:
        anchor, label_x = "start", end + 6
    elif begin - long >= 0:
        anchor, label_x = "end", begin - 6
    return Bar(
        x=begin, y=y, width=max(2.0, round(end - begin, 1)), label=one.what, label_x=round(label_x, 1), anchor=anchor
    )


def _line(waits: Sequence[TimelineEvent], end_s: float, x: _Place, *, peak: int, floor_y: float) -> str:
    """Steps: what waits goes on waiting until it is looked at again."""
    if not peak:
        return ""
    points: list[tuple[float, float]] = [(x(0.0), floor_y)]
    for one in waits:
        high = round(floor_y - _BACKLOG_HIGH * (one.value or 0) / peak, 1)
        points += [(x(one.t_s), points[-1][1]), (x(one.t_s), high)]
    points.append((x(end_s), points[-1][1]))
    return " ".join(f"{at:g},{high:g}" for at, high in points)


def _ticks(end_s: float, x: _Place) -> tuple[Mark, ...]:
    step_s = next((one for one in _STEPS_S if end_s / one <= _MOST_TICKS), max(1, round(end_s / _MOST_TICKS)))
    return tuple(Mark(x=x(at_s), label=f"{at_s} s") for at_s in range(0, int(end_s) + 1, step_s))
