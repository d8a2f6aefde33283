"""How numbers went over the last runs: one line of JSON for each run in a file that lives on, and its pictures.

A line: `{"kind": "bench" | "load", "what", "when", "commit", "machine", "values": {name: {"value", "low", "high",
"unit"}}}`; `low` and `high` are the ends of the number's interval, or null. Lines are only added. Only runs of the same
kind, of the same `what` and on the same machine stand in one picture: others are no peers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.records import RunRecord

FILE = Path("reports/out/benchmarks/history.jsonl")
"""A CI that wants a trend keeps it from one build to the next; `--history` names another."""
MOST = 20
_MOST_BYTES = 2_000_000
"""So much of the end is read: some thousand runs."""
WIDTH, HEIGHT = 340, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 18

Entry = Mapping[str, Any]


def entry(
    *, kind: str, what: str, when: str, commit: str, machine: str, values: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A line, as it is written."""
    return {"kind": kind, "what": what, "when": when, "commit": commit, "machine": machine, "values": dict(values)}


def of_load(record: RunRecord) -> dict[str, Any] | None:
    """The line of a load run: its service levels and what it cost; None where nothing was measured."""
    load = record.load
    if load is None:
        return None
    values = {
        one.name: {
            "value": one.measured,
            "low": one.ci95[0] if one.ci95 else None,
            "high": one.ci95[1] if one.ci95 else None,
            "unit": one.unit,
        }
        for one in record.slo
        if one.measured is not None and "," not in one.name  # of all gateways together
    }
    if load.cost:
        for part in load.cost.parts:
            if part.name in {"target", "golive"}:
                told = {"value": part.cpu_s_per_1000, "low": None, "high": None, "unit": "s"}
                values[f"CPU of {part.name} for 1,000 requests"] = told
    what = f"{load.profile}, {load.planned_per_s:.3g}/s for {load.duration_s:.3g} s, {record.target.name}"
    return entry(
        kind="load",
        what=what,
        when=record.started_at,
        commit=record.target.commit,
        machine=record.machine,
        values=values,
    )


def add(path: Path, line: Entry) -> None:
    """Add a line in one write: two runs that end together both stand in it.

    Raises:
        OSError: the file cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="replace"))
    finally:
        os.close(handle)


def read(path: Path) -> list[Entry]:
    """The lines that can be read, as they were added; nothing where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    found: list[Entry] = []
    for one in lines:
        try:
            told = json.loads(one)
        except ValueError:
            continue  # half a line: the file was cut
        if isinstance(told, dict) and _whole(told):
            found.append(told)
    return found


def _whole(told: Entry) -> bool:
    texts = all(isinstance(told.get(name), str) for name in ("kind", "what", "when", "commit", "machine"))
    values = told.get("values")
    return texts and isinstance(values, dict) and all(isinstance(one, dict) for one in values.values())


def with_load(path: Path, record: RunRecord) -> list[Entry]:
    """The load runs for a record's page; nothing for other records."""
    line = of_load(record)
    return [] if line is None else peers(line, read(path))


def peers(line: Entry, history: Sequence[Entry], most: int = MOST) -> list[Entry]:
    """The last runs of which it is one that began no later, oldest first, itself last."""
    same = ("kind", "what", "machine")
    mine = [one for one in history if all(one[name] == line[name] for name in same) and one["when"] <= line["when"]]
    return [*[one for one in mine if one != line][-(most - 1) :], line]


# -- pictures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run."""

    x: float
    y: float
    low_y: float
    high_y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One number over the last runs, arranged for drawing."""

    name: str
    summary: str
    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    noise: tuple[float, float] | None
    """Top and height of the band in which half a dozen earlier runs or more lie: what is inside is no news."""


def pictures(runs: Sequence[Entry]) -> list[Picture]:
    """One for each number that the last of them has; none where it is the only one."""
    if len(runs) < 2:
        return []
    return [made for name in runs[-1]["values"] if (made := _picture(name, runs)) is not None]


@dataclass(frozen=True, slots=True)
class _Reading:
    value: float
    low: float
    high: float
    unit: str
    run: Entry


def _readings(name: str, runs: Sequence[Entry]) -> list[_Reading]:
    found: list[_Reading] = []
    for run in runs:
        told = run["values"].get(name, {})
        value = _number(told.get("value"))
        if value is not None:
            low, high = (_number(told.get(end)) for end in ("low", "high"))
            low, high = (value if low is None else low), (value if high is None else high)
            found.append(_Reading(value, low, high, str(told.get("unit", "")), run))
    return found


def _number(told: object) -> float | None:
    return float(told) if isinstance(told, int | float) and math.isfinite(told) else None


def _picture(name: str, runs: Sequence[Entry]) -> Picture | None:
    found = _readings(name, runs)
    if len(found) < 2:
        return None
    bottom, top = min(one.low for one in found), max(one.high for one in found)
    room = (top - bottom) * 0.1 or abs(top) * 0.1 or 1.0
    bottom, top = bottom - room, top + room

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * (value - bottom) / (top - bottom), 1)

    step = (WIDTH - _LEFT - _RIGHT) / (len(found) - 1)
    points = tuple(
        Point(
            x=round(_LEFT + step * number, 1),
            y=y(one.value),
            low_y=y(one.low),
            high_y=y(one.high),
            label=f"{one.run['when']} {one.run['commit'][:18]}: {one.value:.4g} {one.unit}".strip(),
        )
        for number, one in enumerate(found)
    )
    values = [one.value for one in found]
    before, last = found[:-1], found[-1]
    low, high = _band(before)
    enough = len(before) >= 5
    told = "" if not enough else "; inside" if low <= last.value <= high else "; outside"
    where = f"{told} the noise of the {len(before)} before ({low:.4g} to {high:.4g})" if told else ""
    return Picture(
        name=name,
        summary=f"{name}: {last.value:.4g} {last.unit}".rstrip() + where,
        points=points,
        ticks=tuple((y(value), f"{value:.3g}") for value in (min(values), max(values))),
        noise=(max(y(high), _TOP), min(y(low), HEIGHT - _BOTTOM) - max(y(high), _TOP)) if enough else None,
    )


def _band(readings: Sequence[_Reading]) -> tuple[float, float]:
    """The median, and three times the usual distance from it to either side: one stray run does not widen it.

    Never narrower than the readings' own intervals usually are: runs that agree by chance make no news of the next.
    """
    middle = _middle([one.value for one in readings])
    usual = 3 * 1.4826 * _middle([abs(one.value - middle) for one in readings])
    own = _middle([(one.high - one.low) / 2 for one in readings])
    return middle - max(usual, own), middle + max(usual, own)


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def page(title: str, runs: Sequence[Entry], rows: Sequence[Mapping[str, str]] = ()) -> str:
    """A page of its own: the last measurement as a table (its columns are the rows' keys), and the trend."""
    environment = Environment(
        loader=PackageLoader("reports", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    columns = list(rows[0]) if rows else []
    template = environment.get_template("trend_page.html.j2")
    return template.render(
        title=title, runs=runs, drawn=pictures(runs), rows=rows, columns=columns, WIDTH=WIDTH, HEIGHT=HEIGHT
    )
