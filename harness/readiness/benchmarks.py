"""What the benchmarks have measured, as evidence for rows of the launch plan that no scenario and no load can see.

A benchmark writes `reports/out/benchmarks/NAME.json`; a run, a load and a readiness report read it. It counts for the
very commit that it measured, on a clean tree, and for so many days; whatever else lies there is not observed, and the
row says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.records import SloResult

FOLDER = Path("reports/out/benchmarks")
OLDEST_DAYS = 14
_MOST_BYTES = 10_000
_DIRTY = "-dirty"
_Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one benchmark: its number, or why there is none that counts."""

    number: SloResult | None
    told: str
    """With a number: when and where it was measured."""


class _File(BaseModel):
    """The file as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = Field(default=1, alias="schema")
    name: str
    measured: _Number
    unit: str
    target: _Number
    samples: int = Field(ge=0)
    ci95: tuple[_Number, _Number] | None
    met: bool | None
    note: str = ""
    of: str
    """The target that was measured: `reference`."""
    commit: str
    clean_tree: bool
    when: datetime
    machine: str


def write(number: SloResult, *, commit: str, when: str, machine: str, folder: Path = FOLDER) -> Path:
    """Leave what was measured of the reference for those who judge; the file's path.

    `commit` is what `git describe --dirty` said when the measurement began, `when` an ISO time with its zone.
    """
    assert number.measured is not None
    told = {
        "schema": 1,
        "name": number.name,
        **{"measured": number.measured, "unit": number.unit, "target": number.target, "samples": number.samples},
        **{"ci95": number.ci95, "met": number.met, "note": number.note, "of": "reference"},
        "commit": commit.removesuffix(_DIRTY),
        "clean_tree": not commit.endswith(_DIRTY),
        "when": when,
        "machine": machine,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number.name}.json"
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return path


def read(folder: Path, *, commit: str, target: str, now_s: float) -> Mapping[str, Evidence]:
    """Every result that lies in `folder`, by its name, as far as it counts for that commit of that target at that time.

    `now_s` is in seconds since 1970.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        found[path.stem] = _evidence(path, commit=commit, target=target, now_s=now_s)
    return found


def _evidence(path: Path, *, commit: str, target: str, now_s: float) -> Evidence:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return Evidence(None, f"{path} is too long to be a benchmark's result.")
        one = _File.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return Evidence(None, f"{path} cannot be read as a benchmark's result: let the benchmark run again.")
    if one.name != path.stem or one.when.tzinfo is None:
        return Evidence(None, f"{path} cannot be read as a benchmark's result: let the benchmark run again.")
    age_days = (now_s - one.when.timestamp()) / 86_400
    if why := _why_not(one, commit=commit, target=target, age_days=age_days):
        return Evidence(None, f"The benchmark's last result does not count: {why}.")
    number = SloResult(
        name=one.name, target=one.target, unit=one.unit, measured=one.measured, samples=one.samples, ci95=one.ci95,
        met=one.met, note=one.note,
    )  # fmt: skip
    return Evidence(number, f"Measured {one.when:%Y-%m-%d %H:%M} UTC at commit {one.commit} on {one.machine}.")


def _why_not(one: _File, *, commit: str, target: str, age_days: float) -> str:
    if one.of != target:
        return f"it measured {one.of}, and this is {target}"
    if not one.clean_tree:
        return f"it measured files that differ from commit {one.commit}"
    if commit.endswith(_DIRTY):
        return f"it measured commit {one.commit}, and the files here differ from {commit.removesuffix(_DIRTY)}"
    if one.commit != commit or commit == "unknown":
        return f"it measured commit {one.commit}, and this is {commit}"
    if not -1 <= age_days <= OLDEST_DAYS:
        when = f"{math.floor(age_days)} days old" if age_days > 0 else "from the future"
        return f"it is {when}, and at most {OLDEST_DAYS} days count"
    return ""
