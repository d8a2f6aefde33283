"""What the processes that run scenarios say to the process that owns the run, as typed messages.

Each travels as JSON over a control socket (`harness.stack.control`): `to_json` on one side, `read` on the other.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from harness.records import Concern, Ledger, Outcome, TimelineEvent

#: The environment variable that names the socket of the run; set by its owner.
RUN_VARIABLE = "GOLIVE_RUN"

Message = TypeVar("Message")
Instance = Literal["", "travelling", "monitored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedScenario:
    """A scenario in one variant, as pytest has collected it."""

    key: str
    """`S-07[hotmart-plan]`: names the scenario and its variant, and nothing of the machine."""
    title: str
    suite: str
    proves: tuple[str, ...] = ()
    """Rows of the plan, with `gateway/…` for the story of the gateway that it is run for."""
    gateway: str | None = None
    dialect: str | None = None
    tenants: int = 1
    """How many tenants of its own it uses."""
    exclusive: bool = False
    """Whether it must be alone on its stack."""
    instance: Instance = ""
    """The instance with a clock of its own that it uses; empty: none."""
    day: int = 0
    """On such an instance: the first of its days. The clock only goes forward."""
    given: str = ""
    when: str = ""
    then: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioDetails:
    """What a scenario has left behind beside its outcome."""

    kept: tuple[str, ...] = ()
    """Claims on rows whose own part has passed; with `gateway/…`, as in `proves`."""
    failing: tuple[str, ...] = ()
    """Claims on rows in whose own part it failed; empty where it failed elsewhere."""
    concerns: tuple[Concern, ...] = ()
    """With claims in the place of rows."""
    evidence: tuple[str, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()
    wire_sha256: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    counted: Mapping[str, int] = field(default_factory=dict)
    """How many events Meta has counted, by pixel."""
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of page events that the scenario has caused, by pixel."""
    harness_error: str = ""
    """Why the ledger or the canaries could not be read; empty: they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinished:
    """A scenario has ended, in whatever way."""

    key: str
    outcome: Outcome
    duration_s: float
    blame: Literal["", "target", "harness"] = ""
    message: str = ""
    details: ScenarioDetails = field(default_factory=ScenarioDetails)


def to_json(message: object) -> Any:
    """A message as plain JSON values."""
    return msgspec.to_builtins(message)


#: msgspec 0.22 crashes where two threads read their first message of a kind at the same time.
_READING = threading.Lock()


def read(kind: type[Message], data: object) -> Message:
    """The reverse of `to_json`; for any number of threads.

    Raises:
        msgspec.ValidationError: it is no such message.
    """
    with _READING:
        return msgspec.convert(data, kind)
