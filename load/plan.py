"""The file in which `golive load` tells its generators what to send; docs/load.md shows one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

#: Names the plan's file; a generator without it cannot know what to send.
PLAN_VARIABLE = "GOLIVE_LOAD_PLAN"
#: Which of the plan's generators this process is, counted from 0.
NUMBER_VARIABLE = "GOLIVE_LOAD_NUMBER"


class NoPlan(Exception):
    """This process was not started by `golive load`; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is sent, to whom, and where the samples go."""

    base_url: str
    public_url: str
    """What the vendors believe they send to; some sign it."""
    webhook_path: str
    """With {gateway} and {tenant}."""
    gateways: Sequence[str]
    tenants: Sequence[Mapping[str, Any]] = field(repr=False)
    """As the target's provision command got them: tenant, gateways: {name: {dialect, secret}}."""
    seed: int
    pieces: Sequence[Sequence[float]]
    """Requests a second, and for how many seconds: one after the other."""
    origin_s: int
    """The run's time at its start, in seconds since 1970: what the webhooks are stamped from."""
    processes: int
    timeout_s: float
    folder: str
    """Where `ready-N`, `start` and `samples-N.csv` are written."""
    pages: float = 0.0
    """The share of requests that pages send: of ten six page views, three clicks, one checkout."""
    page_paths: Mapping[str, str] = field(default_factory=dict)
    """Where they go, by kind, with {tenant}."""
    first: int = 0
    """The number of the first request: several plans of one run share no sale."""
    storm_after: int = 0
    """After so many pieces every webhook from before is sent once more ..."""
    storm_over_s: float = 0.0
    """... within so many seconds; 0: never."""
    reads_per_s: float = 0.0
    """How often somebody who is logged in opens the dashboard, beside all that."""
    dashboard_path: str = ""
    cookies: Sequence[str] = field(default=(), repr=False)
    """One for each reader, as the header says it."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> tuple[Self, int]:
        """The plan, and this process's number in it.

        Raises:
            NoPlan: the variables are not there, or the file cannot be read.
        """
        try:
            text = Path(environment[PLAN_VARIABLE]).read_text(encoding="utf-8")
            return cls(**json.loads(text)), int(environment[NUMBER_VARIABLE])
        except (KeyError, OSError, ValueError, TypeError) as error:
            raise NoPlan(
                f"{PLAN_VARIABLE} and {NUMBER_VARIABLE} must name a plan ({type(error).__name__}). "
                "`golive load baseline` writes one and starts this."
            ) from None
