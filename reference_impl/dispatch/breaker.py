"""The circuit breaker of one pixel: rules only, no I/O. `breaker_store.py` keeps the state for all replicas.

Ages are seconds by the database's clock, measured by the database: no replica's own clock has a say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What the database knows of one pixel's breaker at this instant."""

    state: State = "closed"
    failures: int = 0
    """In a row; a success sets it back."""
    open_for_s: float = 0.0
    """Since it last opened; 0 while closed."""
    probe_lease_s: float = 0.0
    """How long the probe that is under way may still take; 0 or less: there is none, or its sender died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When it opens, and when it asks again."""

    threshold: int
    """Failures in a row that open it."""
    reset_s: float
    """From opening to the first probe."""

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.reset_s <= 0:
            raise ValueError("a breaker needs a threshold of 1 or more and a reset time over 0")


@dataclass(frozen=True, slots=True)
class Pass:
    """Send. `probe` names the probe, if this is the one that a half-open breaker lets through."""

    probe: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Do not send; ask again in so many seconds."""

    wait_s: float


def may_send(breaker: Breaker, rules: Rules) -> Pass | Refusal | Literal["probe"]:
    """Whether a batch may go now; `"probe"`: one small probe may, if it is entered as such first."""
    match breaker.state:
        case "closed":
            return Pass()
        case "open" if breaker.open_for_s < rules.reset_s:
            return Refusal(rules.reset_s - breaker.open_for_s)
        case "half_open" if breaker.probe_lease_s > 0:
            return Refusal(min(breaker.probe_lease_s, rules.reset_s))
        case _:
            return "probe"


def after_failure(breaker: Breaker, rules: Rules, *, is_probe: bool) -> Breaker:
    """The breaker once Meta has failed us. Late news from before it opened changes nothing."""
    if is_probe:
        return Breaker(state="open", failures=breaker.failures + 1)
    if breaker.state != "closed":
        return breaker
    failures = breaker.failures + 1
    return Breaker(state="open" if failures >= rules.threshold else "closed", failures=failures)


def after_life_sign(breaker: Breaker, *, is_probe: bool) -> Breaker:
    """The breaker once Meta has answered as a healthy Meta does (a refusal of the event included)."""
    return Breaker() if is_probe or breaker.state == "closed" else breaker
