"""A CloudWatch dashboard's body, as the lines of its pictures. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from harness.alarms.metrics import MetricId, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: a metric's statistic."""

    metric: MetricId
    stat: str
    label: str
    right: bool = False
    """Drawn against an axis of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """One picture."""

    title: str
    period_s: int
    lines: tuple[Line, ...]


def widgets(body: str) -> list[Widget]:
    """The metric widgets of a DashboardBody. Raises ValueError: it is no JSON, or none that CloudWatch takes."""
    found = []
    for one in json.loads(body)["widgets"]:
        if one.get("type") == "metric":
            told = one["properties"]
            lines = _lines(told["metrics"], str(told.get("stat", "Average")))
            found.append(Widget(title=told.get("title", ""), period_s=int(told.get("period", 300)), lines=lines))
    return found


def _lines(rows: list[list[Any]], stat: str) -> tuple[Line, ...]:
    """`.` stands for what stood there in the line above, and `...` for all of it up to there."""
    found: list[Line] = []
    above: list[str] = []
    for row in rows:
        options = row[-1] if isinstance(row[-1], dict) else {}
        words = [str(one) for one in row if not isinstance(one, dict)]
        if words and words[0] == "...":
            rest = words[1:]
            words = [*above[: len(above) - len(rest)], *rest]
        words = [above[place] if one == "." else one for place, one in enumerate(words)]
        above = words
        namespace, name, *pairs = words
        dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
        chosen = str(options.get("stat", stat))
        found.append(
            Line(
                metric=MetricId.of(namespace, name, dimensions),
                stat=chosen,
                label=str(options.get("label", "")),
                right=options.get("yAxis") == "right",
            )
        )
    return tuple(found)


def drawn(metrics: Metrics, found: list[Widget], *, since_s: float, until_s: float) -> list[dict[str, Any]]:
    """Each widget with the values of its lines, one for each of its periods; None: nothing was told."""
    told = []
    for widget in found:
        step = widget.period_s
        starts = range(int(since_s // step * step), int(until_s), step)
        lines = []
        for line in widget.lines:
            periods = [metrics.period(line.metric, start, step) for start in starts]
            values = [None if one is None else one.statistic(line.stat) for one in periods]
            lines.append({"name": _name(line, widget), "stat": line.stat, "right": line.right, "values": values})
        told.append({"title": widget.title, "starts_s": starts.start, "step_s": step, "lines": lines})
    return told


def _name(line: Line, widget: Widget) -> str:
    """As short as tells the widget's lines apart."""
    if line.label:
        return line.label
    same = [one for one in widget.lines if one.metric.name == line.metric.name]
    if len({one.metric for one in same}) > 1:
        others = sorted(value for name, value in line.metric.dimensions if name != "Environment")
        return f"{line.metric.name} {' '.join(others)}"
    return f"{line.metric.name} {line.stat}" if len(same) > 1 else line.metric.name
