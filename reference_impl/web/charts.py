"""The dashboard's charts as inline SVG. Pure: numbers in, shapes out; words and scales are HTML beside them.

The shapes are stretched to whatever width there is, so nothing in them may be text: on a phone it would shrink with
them. Colours are CSS classes, because the page's Content-Security-Policy allows no inline style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEIGHT = 100.0
_GAP = 0.14
_EDGE = 4.0
"""Room above and below a curve: half a dot must not be cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day's column: what a pointer is told, and its pieces from the bottom up."""

    x: float
    title: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a column."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A curve as an SVG path, with gaps where there is nothing to say."""

    path: str
    dots: Sequence[Dot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A place on the curve: what a pointer is told there."""

    x: float
    y: float
    title: str


def nice_top(highest: int) -> int:
    """The end of a scale: 1, 2 or 5 times a power of ten, and not under `highest`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= highest:
                return step * factor
        step *= 10


def bars(columns: Sequence[tuple[str, Sequence[tuple[str, int]]]], *, top: int) -> list[Bar]:
    """Columns of stacked pieces: (title, [(kind, count)]) each; `top` is the end of the scale."""
    return [
        Bar(x=number, title=title, pieces=list(_stacked(number, pieces, top=top)))
        for number, (title, pieces) in enumerate(columns)
    ]


def _stacked(number: int, pieces: Sequence[tuple[str, int]], *, top: int) -> Iterator[Piece]:
    below = 0.0
    for kind, count in pieces:
        height = HEIGHT * max(0, count) / top
        if height:
            yield Piece(
                kind=kind,
                x=number + _GAP,
                y=round(HEIGHT - below - height, 3),
                width=1 - 2 * _GAP,
                height=round(height, 3),
            )
        below += height


def floor(percents: Sequence[float]) -> int:
    """Where a scale of percentages may begin, so that what differs can be seen: 0, 50, 90 or 98."""
    lowest = min(percents, default=0.0)
    return next(one for one in (98, 90, 50, 0) if lowest >= one)


def height_of(percent: float, *, low: float) -> float:
    """Where on a scale from `low` to 100 % a percentage stands, from above."""
    share = (100 - percent) / (100 - low)
    return round(_EDGE + share * (HEIGHT - 2 * _EDGE), 3)


def line(points: Sequence[tuple[str, float | None]], *, low: float) -> Line:
    """A curve of percentages from `low` up, one for each day; None leaves a gap, and a lonely day is a dot."""
    parts, dots, pen_down = [], [], False
    for number, (title, percent) in enumerate(points):
        if percent is None:
            pen_down = False
            continue
        x, y = number + 0.5, height_of(percent, low=low)
        parts.append(f"{'L' if pen_down else 'M'}{x} {y}" + ("" if pen_down else "h0"))
        dots.append(Dot(x=x, y=y, title=title))
        pen_down = True
    return Line(path=" ".join(parts), dots=dots)
