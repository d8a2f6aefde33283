"""A section of `load/profiles.toml`: what is sent, and how many requests that makes. Read without importing Locust."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from harness.cli import common
from harness.errors import HarnessError, UsageError

#: The plan's average day: 1,000,000 events in 24 hours.
AVERAGE_DAY_PER_S = 1_000_000 / 86_400


class Search(BaseModel):
    """How the knee is looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeats: int = Field(ge=3, le=20)
    resolution: float = Field(gt=0.01, lt=1)
    """The search ends when what held and what did not are nearer than this share."""
    samples: int = Field(ge=1_000)
    """Webhooks in each step, at least; fewer decide nothing."""
    at_least_s: float = Field(gt=0)
    """How long each step lasts, at least."""


class Profile(BaseModel):
    """One section of `load/profiles.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    rate_per_s: float = Field(gt=0, le=20_000)
    duration_s: float = Field(gt=0, le=86_400)
    shape: tuple[tuple[PositiveFloat, PositiveFloat], ...] = ((1.0, 1.0),)
    """The rate over time, in pieces: how many times `rate_per_s`, and for which part of the duration."""
    tenants: int = Field(ge=1, le=1_000)
    pages: float = Field(default=0.0, ge=0, lt=1)
    """The share of requests that pages send: page views, clicks and checkouts."""
    reads_per_s: float = Field(default=0.0, ge=0, le=1_000)
    """How often somebody opens the dashboard, besides."""
    outage: tuple[float, float] | None = None
    """From which share of the duration until which Meta is gone."""
    storm: tuple[int, PositiveFloat] | None = None
    """After so many pieces every webhook from before comes once more, within so many seconds."""
    search: Search | None = None
    meta_median_ms: float
    meta_p95_ms: float

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.outage and not 0 < self.outage[0] < self.outage[1] < 1:
            raise ValueError("outage: 0 < from < until < 1")
        if self.storm and (self.pages or not 0 < self.storm[0] < len(self.shape)):
            raise ValueError("storm: after one of the pieces and before another, and without pages")
        if self.storm and self.storm[1] > self.pieces[self.storm[0]][1]:
            raise ValueError("storm: it has to end within the piece that follows it")
        return self

    @property
    def pieces(self) -> tuple[tuple[float, float], ...]:
        """Requests a second, and for how many seconds: one after the other."""
        whole = sum(part for _, part in self.shape)
        return tuple((times * self.rate_per_s, part / whole * self.duration_s) for times, part in self.shape)

    @property
    def outage_s(self) -> tuple[float, float] | None:
        """When Meta is gone, in seconds from the start."""
        return (self.outage[0] * self.duration_s, self.outage[1] * self.duration_s) if self.outage else None

    @property
    def repeated(self) -> int:
        """How many of the requests are a vendor's retry."""
        return sum(_counts(self.pieces[: self.storm[0]])) if self.storm else 0

    @property
    def planned(self) -> int:
        """How many requests there will be; `load/schedule.py` counts the same."""
        return sum(_counts(self.pieces)) + self.repeated + round(self.reads_per_s * self.duration_s)

    def step(self, rate_per_s: float) -> Self:
        """One step of a search: long enough to decide, and no longer."""
        search = self.search
        if search is None:
            raise HarnessError("only a profile with a search has steps")
        duration_s = max(search.at_least_s, search.samples / rate_per_s)
        return self.model_copy(update={"rate_per_s": rate_per_s, "duration_s": duration_s, "search": None})


def _patient(search: Search, times: float) -> Search:
    """With so many times the time, longer steps: more of the same short ones would be as noisy. Never shorter."""
    more = max(1.0, times)
    changes = {"samples": round(search.samples * more), "at_least_s": search.at_least_s * more}
    return search.model_copy(update=changes)


def _counts(pieces: tuple[tuple[float, float], ...]) -> list[int]:
    return [round(rate_per_s * lasts_s) for rate_per_s, lasts_s in pieces]


def profiles() -> Mapping[str, Profile]:
    """Every profile by name, read without importing Locust.

    Raises:
        HarnessError: the file is not as it must be.
    """
    text = (home() / "profiles.toml").read_text(encoding="utf-8")
    try:
        return {name: Profile.model_validate(section) for name, section in tomllib.loads(text).items()}
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise HarnessError(f"load/profiles.toml cannot be used: {error}") from None


def profile_named(
    name: str, *, rate_per_s: float | None, duration_s: float | None, times: float | None = None
) -> Profile:
    """The profile, with what the command line changes of it; `times` is the multiple of its highest piece.

    Raises:
        UsageError: no such profile, or a number that makes no sense.
    """
    known = profiles()
    if name not in known:
        listed = "; ".join(f"{one}: {profile.title}" for one, profile in known.items())
        raise UsageError(f"There is no load profile {name!r}.{common.nearest(name, known)} There are: {listed}.")
    changes = {"rate_per_s": rate_per_s, "duration_s": duration_s}
    asked = {**known[name].model_dump(), **{key: value for key, value in changes.items() if value is not None}}
    if (search := known[name].search) and duration_s is not None:
        asked["search"] = _patient(search, duration_s / known[name].duration_s).model_dump()
    if times is not None:
        asked["shape"] = _higher(known[name], times)
    try:
        profile = Profile.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0] if first["loc"] else "duration")
        raise UsageError(f"--{option.removesuffix('_per_s').removesuffix('_s')}: {first['msg']}") from None
    if not profile.planned:
        raise UsageError("That rate and duration make less than one request.")
    return profile


def _higher(profile: Profile, times: float) -> tuple[tuple[float, float], ...]:
    highest = max(one for one, _ in profile.shape)
    if highest == 1:
        raise UsageError("--times is for a profile with a spike: launch. Another rate is --rate.")
    if times < 1:
        raise UsageError("--times: at least 1.")
    return tuple((times if one == highest else one, part) for one, part in profile.shape)


def home() -> Path:
    """The folder of the package `load`.

    Raises:
        HarnessError: it is not installed. UsageError: Locust is not.
    """
    spec = find_spec("load")
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError("The package `load` is not installed.")
    if find_spec("locust") is None:
        raise UsageError("Load needs Locust: install golive[load].")
    return Path(next(iter(spec.submodule_search_locations)))
