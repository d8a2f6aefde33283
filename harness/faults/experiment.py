"""An experiment: sales at a steady rate, faults on a timeline, and what must have come of it. A TOML file says it.

    title = "A token dies at minute 2 and is renewed at minute 4"
    compress = 60                # a minute of the story is a second of the run

    [steady]
    gateway = "stripe"
    sales_per_s = 5              # of the run, not of the story

    [[fault]]
    name = "meta.token_dead"     # `golive list faults` shows all
    at_s = 120                   # of the story
    lasts_s = 120

    [expect]
    recovers_within_s = 20       # of the run: how fast the target drains its backlog does not compress

Every sale must be accepted in the end and counted by Meta once: that needs no line.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from harness.errors import UsageError
from harness.faults import names
from harness.faults.base import Fault

MAX_RUN_S = 300
"""Of the run, whatever the story's length: an experiment is one scenario among many."""
_MAX_FILE_CHARS = 100_000

_Text = Annotated[str, Field(min_length=1, max_length=300)]
_Seconds = Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Steady(_Section):
    """The steady state: what goes on whatever happens."""

    gateway: _Text = "stripe"
    """The one it would like; a target that does not speak it is sold to through another."""
    sales_per_s: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)]


class TimedFault(_Section):
    """One fault and its time, in seconds of the story. What the fault itself is told stands under `with`."""

    name: _Text
    at_s: _Seconds
    lasts_s: Annotated[float, Field(gt=0, le=30 * 86_400, allow_inf_nan=False)]
    parameters: dict[str, str | int | float] = Field(default_factory=dict, alias="with")
    _fault: Fault = PrivateAttr()

    @model_validator(mode="after")
    def _is_known(self) -> TimedFault:
        try:
            self._fault = names.make(self.name, self.parameters)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def fault(self) -> Fault:
        """The fault itself."""
        return self._fault

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.at_s + self.lasts_s

    def sentence(self) -> str:
        """In words: `meta.brown_out (probability 0.3)`."""
        told = ", ".join(f"{key} {value}" for key, value in self.parameters.items())
        return f"{self.name} ({told})" if told else self.name


class Expect(_Section):
    """What must have come of it, beside every sale counted once."""

    accepted: Literal["at_once", "redelivered"] = "at_once"
    """`at_once`: every webhook was answered with 202 the first time. `redelivered`: what was not is sent again."""
    breaker: list[Literal["closed", "open", "half_open"]] = Field(default_factory=list)
    """States of the pixel's circuit breaker that must have been seen, in this order, others between them."""
    backlog_at_least: Annotated[int, Field(ge=0)] = 0
    """So many sales must have waited at the worst moment: else the faults did not bite."""
    backlog_at_most: Annotated[int, Field(ge=0)] | None = None
    recovers_within_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
    """Of the run: from the end of the last fault until nothing waits any more."""


class Experiment(_Section):
    """One file."""

    title: _Text
    story: Annotated[str, Field(max_length=2000)] = ""
    """Why anyone cares; for the reader of the report."""
    compress: Annotated[float, Field(ge=1, le=10_000, allow_inf_nan=False)] = 1.0
    """So many seconds of the story pass in one second of the run."""
    calm_s: _Seconds = 60.0
    """Of the story: how long sales go on after the last fault."""
    steady: Steady
    fault: Annotated[list[TimedFault], Field(min_length=1, max_length=50)]
    expect: Expect

    @model_validator(mode="after")
    def _is_short_enough(self) -> Experiment:
        if self.run_s > MAX_RUN_S:
            raise ValueError(
                f"it would take {self.run_s:.0f} s of the run, and may take {MAX_RUN_S}: "
                f"compress by {self.compress * self.run_s / MAX_RUN_S:.0f} or more"
            )
        return self

    @property
    def last_end_s(self) -> float:
        """When the last fault is over, in the story."""
        return max(one.ends_s for one in self.fault)

    @property
    def run_s(self) -> float:
        """How long its sales last, in seconds of the run."""
        return (self.last_end_s + self.calm_s) / self.compress

    def moments(self) -> Sequence[tuple[float, Literal["begin", "end"], TimedFault]]:
        """What happens when, in seconds of the run; what ends goes before what begins in the same moment."""
        found: list[tuple[float, Literal["begin", "end"], TimedFault]] = []
        for one in self.fault:
            found += [(one.at_s / self.compress, "begin", one), (one.ends_s / self.compress, "end", one)]
        return sorted(found, key=lambda moment: (moment[0], moment[1] == "begin"))


def seen_in_order(wanted: Sequence[str], seen: Sequence[str]) -> bool:
    """Whether `wanted` is what is left of `seen` when something is taken out of it."""
    states: Iterator[str] = iter(seen)
    return all(one in states for one in wanted)


def load(path: Path) -> Experiment:
    """Read and check an experiment's file.

    Raises:
        UsageError: no such file, no TOML, a word or a fault that is not known, a number that cannot be; says the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The experiment {path} cannot be read: {error}.") from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Experiment:
    """The same, of a text; `name` stands in the errors."""
    if len(text) > _MAX_FILE_CHARS:
        raise UsageError(f"{name} is longer than {_MAX_FILE_CHARS:,} characters: that is no experiment.")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{name} is not TOML: {error}") from None
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        told = [_complaint(text, one) for one in error.errors(include_url=False)]
        raise UsageError(f"{name} cannot be used: " + "; ".join(told[:5])) from None


def _complaint(text: str, error: Mapping[str, Any]) -> str:
    place = [one for one in error["loc"] if isinstance(one, str | int)]
    line = _line_of(text, place)
    where = f"line {line}" if line else "the file"
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{where}: {_dotted(place)} is missing"
    if error["type"] == "extra_forbidden":
        known = _keys_beside(place)
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        return f"{where}: there is no {_dotted(place)}.{guess} Known: {', '.join(known)}."
    return f"{where}: {_dotted(place)}: {what}" if place else f"{where}: {what}"


def _dotted(place: Sequence[str | int]) -> str:
    """`fault 2, at_s` of ("fault", 1, "at_s")."""
    words: list[str] = []
    for one in place:
        if isinstance(one, int) and words:
            words[-1] += f" {one + 1}"
        else:
            words.append(str(one))
    return ", ".join(words)


_SECTIONS: Mapping[str, type[BaseModel]] = {"steady": Steady, "fault": TimedFault, "expect": Expect}


def _keys_beside(place: Sequence[str | int]) -> list[str]:
    kind = _SECTIONS.get(str(place[0]), Experiment) if len(place) > 1 else Experiment
    return sorted(one.alias or key for key, one in kind.model_fields.items())


def _line_of(text: str, place: Sequence[str | int]) -> int | None:
    """The line, from 1, on which a key stands; else its section's; None where even that cannot be found."""
    if not place:
        return None
    lines = text.splitlines()
    start, end = 0, len(lines)
    header = None
    if len(place) > 1:
        wanted = re.compile(rf"\s*\[\[?\s*{re.escape(str(place[0]))}\s*\]\]?\s*(#.*)?$")
        headers = [number for number, line in enumerate(lines) if wanted.match(line)]
        number = place[1] if isinstance(place[1], int) else 0
        if number >= len(headers):
            return None
        header = headers[number]
        start = header + 1
    sections = (number for number in range(start, len(lines)) if re.match(r"\s*\[", lines[number]))
    end = next((one for one in sections if not lines[one].lstrip().startswith("[fault.with")), end)
    key = re.compile(rf"\s*\[?(\w+\.)*{re.escape(str(place[-1]))}\b\s*[=\].]")
    found = next((number for number in range(start, end) if key.match(lines[number])), header)
    return None if found is None else found + 1
