"""The launch plan as data: reads `stories.toml` and `checklist.toml`, and refuses what is wrong in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.checks import slo
from harness.errors import HarnessError

How = Literal["scenario", "load", "benchmark", "readiness", "attestation", "out_of_scope"]


class _Line(BaseModel):
    """One line of a file, as it is written there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    text: str = Field(min_length=3)
    plan: str | list[str] = ""
    how: How
    who: str = ""
    slo: str = ""
    measured: bool = False
    benchmark: str = ""
    at_least: int = Field(default=0, ge=0)
    all_of: list[str] = []
    note: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the launch plan; the fields are explained at the top of `stories.toml`."""

    id: str
    story: str
    story_title: str
    text: str
    quotes: tuple[str, ...]
    how: How
    who: str = ""
    slo: str = ""
    measured: bool = False
    benchmark: str = ""
    at_least: int = 0
    all_of: tuple[str, ...] = ()
    note: str = ""
    reason: str = ""

    @property
    def claimable(self) -> bool:
        """Whether a scenario may say that it proves this row."""
        return self.how == "scenario" and not self.all_of and not self.at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All rows, in the plan's order, and which story belongs to which gateway."""

    rows: Mapping[str, Row]
    gateways: Mapping[str, str]


@cache
def load() -> Plan:
    """The plan that is shipped with golive.

    Raises:
        HarnessError: a file is not as it must be; the message names the row.
    """
    folder = files("harness.readiness")
    return parse(*((folder / name).read_text(encoding="utf-8") for name in ("stories.toml", "checklist.toml")))


def parse(stories: str, checklist: str) -> Plan:
    """Read both files' texts.

    Raises:
        HarnessError: not TOML, an unknown key or kind, an id twice, a row without its who or reason, a number or row
            that does not exist.
    """
    try:
        told, listed = tomllib.loads(stories), tomllib.loads(checklist)
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"The launch plan is not TOML: {error}") from None
    sections = [*told["stories"].items(), *((f"checklist/{name}", part) for name, part in listed["checklist"].items())]
    rows: dict[str, Row] = {}
    for name, section in sections:
        for row in _rows(name, section):
            if row.id in rows:
                raise HarnessError(f"The launch plan has the row {row.id} twice.")
            rows[row.id] = row
    plan = Plan(rows={row.id: _with_members(row, rows) for row in rows.values()}, gateways=told["gateways"])
    _check_gateways(plan, {name for name, _ in sections})
    _check_numbers(plan)
    return plan


def _rows(story: str, section: Mapping[str, Any]) -> Iterator[Row]:
    for given in section["rows"]:
        try:
            line = _Line.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise HarnessError(f"Row {given.get('id')!r} of {story}: {place}: {first['msg']}") from None
        quotes = [line.plan] if isinstance(line.plan, str) else line.plan
        row = Row(
            id=f"{story}/{line.id}",
            story=story,
            story_title=section["title"],
            quotes=tuple(filter(None, quotes)) or (line.text,),
            all_of=tuple(line.all_of),
            **line.model_dump(exclude={"id", "plan", "all_of"}),
        )
        _check(row)
        yield row


def _check(row: Row) -> None:
    if (row.how == "benchmark") != bool(row.benchmark):
        raise HarnessError(f'Row {row.id}: `how = "benchmark"` and `benchmark = NAME` belong together.')
    if row.how == "load" and not row.slo and not row.all_of:
        raise HarnessError(f"Row {row.id} is seen by load, but does not say which number decides it.")
    if row.how in ("benchmark", "readiness", "attestation") and not row.who:
        raise HarnessError(f"Row {row.id} is seen by {row.how}, but does not say who can supply it.")
    if row.how == "out_of_scope" and not row.reason:
        raise HarnessError(f"Row {row.id} is out of scope without a reason.")


def _check_numbers(plan: Plan) -> None:
    known = {*slo.NAMES, *(slo.of_gateway(name, gateway) for name in slo.NAMES for gateway in plan.gateways)}
    for row in plan.rows.values():
        if row.slo and row.slo not in known:
            raise HarnessError(f"Row {row.id} wants the number {row.slo!r}. Known: {', '.join(slo.NAMES)}.")


def _with_members(row: Row, rows: Mapping[str, Row]) -> Row:
    """The row with the stars in its `all_of` spelt out."""
    if not row.all_of:
        return row
    members = tuple(dict.fromkeys(name for pattern in row.all_of for name in _matching(row, pattern, rows)))
    return Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "all_of": members})


def _matching(row: Row, pattern: str, names: Iterable[str]) -> list[str]:
    stem = pattern.removesuffix("*")
    found = [name for name in names if name == pattern or (stem != pattern and name.startswith(stem))]
    if not found or row.id in found:
        raise HarnessError(
            f"Row {row.id} follows from {pattern!r}, which {'is itself' if found else 'does not exist'}."
        )
    return found


def _check_gateways(plan: Plan, stories: set[str]) -> None:
    for gateway, story in plan.gateways.items():
        if story not in stories:
            raise HarnessError(f"The gateway {gateway} belongs to the story {story!r}, which does not exist.")
