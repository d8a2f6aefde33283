"""The dashboard's pictures, arranged for drawing: where each line goes, and what is said of it. No markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: In the drawing's own units, which the browser scales to the width that there is.
WIDTH, HEIGHT = 360, 132
_LEFT, _RIGHT, _TOP, _FLOOR = 4, 4, 8, 108
_MOST_TICKS = 4
_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)

#: For who has never opened CloudWatch: what a metric counts.
_WORDS: Mapping[str, str] = {
    "WebhookRequests": "webhooks that came in",
    "WebhookFailures": "webhooks that we failed",
    "WebhookLatencyMs": "time to answer a webhook, ms",
    "DispatchesEnded": "purchases that came to an end",
    "DispatchesFailed": "purchases that did not reach Meta",
    "DispatchLatencyMs": "time that Meta took, ms",
    "ApproximateNumberOfMessagesVisible": "messages that wait",
    "ApproximateAgeOfOldestMessage": "age in seconds of the oldest message",
    "SecondsSinceBreakerClosed": "seconds since Meta was last well (0: it is)",
    "TokenSecondsLeft": "seconds until the first Meta token ends",
    "DatabaseConnectionsPercent": "database connections taken, %",
    "AnalyticsAgeSeconds": "age of the customers' numbers, seconds",
}
_PERCENTILES: Mapping[str, str] = {
    "p50": "half were faster",
    "p95": "95 of 100 were faster",
    "p99": "99 of 100 were faster",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a picture."""

    kind: int
    """0, 1, 2 …: which of the picture's strokes."""
    pieces: tuple[str, ...]
    """`points` of polylines: a gap is where nothing was told."""
    dots: tuple[tuple[float, float], ...]
    """Values that stand alone, which no line would show."""
    words: str
    last: str
    most: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One widget, placed."""

    title: str
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    summary: str
    """For who cannot see it."""

    @property
    def silent(self) -> bool:
        """Whether nothing at all was told."""
        return not any(one.pieces or one.dots for one in self.curves)


def draw(widget: Mapping[str, Any]) -> Picture:
    """Place one widget of the record's `dashboard`."""
    lines: Sequence[Mapping[str, Any]] = widget["lines"]
    slots = max((len(one["values"]) for one in lines), default=0)
    tops = {side: _most([one for one in lines if bool(one["right"]) is side]) for side in (False, True)}
    curves = tuple(_curve(kind, one, slots, tops[bool(one["right"])]) for kind, one in enumerate(lines))
    said = "; ".join(f"{one.words}: last {one.last}, most {one.most}" for one in curves)
    return Picture(
        title=widget["title"],
        curves=curves,
        ticks=_ticks(widget["starts_s"], widget["step_s"], slots),
        summary=f"{widget['title']}. {said}",
    )


def _most(lines: Sequence[Mapping[str, Any]]) -> float:
    return max((value for one in lines for value in one["values"] if value is not None), default=0.0) or 1.0


def _x(slot: float, slots: int) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * slot / max(1, slots - 1), 1)


def _curve(kind: int, line: Mapping[str, Any], slots: int, top: float) -> Curve:
    pieces: list[list[tuple[float, float]]] = [[]]
    for slot, value in enumerate(line["values"]):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((_x(slot, slots), round(_FLOOR - (_FLOOR - _TOP) * max(0.0, value) / top, 1)))
    told = [value for value in line["values"] if value is not None]
    return Curve(
        kind=kind % 4,
        pieces=tuple(" ".join(f"{x:g},{y:g}" for x, y in piece) for piece in pieces if len(piece) > 1),
        dots=tuple(piece[0] for piece in pieces if len(piece) == 1),
        words=_words(line["name"]),
        last=_number(told[-1]) if told else "nothing told",
        most=_number(max(told)) if told else "nothing told",
    )


def _words(name: str) -> str:
    metric, _, rest = name.partition(" ")
    known = _WORDS.get(metric)
    if known is None:
        return name
    if rest in _PERCENTILES:
        return f"{known}: {_PERCENTILES[rest]}"
    link = " in " if rest and metric.startswith("Approximate") else " "  # in which queue
    return f"{known}{link}{rest}".rstrip()


def _number(value: float) -> str:
    text = f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return re.sub(r"\.0$", "", text)


def _ticks(starts_s: float, step_s: float, slots: int) -> tuple[tuple[float, str], ...]:
    minutes = slots * step_s / 60
    step = next((one for one in _STEPS_MIN if minutes / one <= _MOST_TICKS), _STEPS_MIN[-1])
    found = []
    for slot in range(slots):
        at_s = starts_s + slot * step_s
        if at_s % (step * 60) == 0:
            found.append((_x(slot, slots), datetime.fromtimestamp(at_s, UTC).strftime("%H:%M")))
    return tuple(found)
