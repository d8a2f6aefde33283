"""A fault in place: how often it strikes. How it fails is each fake's own (meta/faults.py, aws_faults/faults.py)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Generic, TypeVar

FaultT = TypeVar("FaultT")


class BadFault(ValueError):
    """Whoever arms a fault got its name, a parameter, or how often it strikes wrong; the message says what."""


@dataclass(kw_only=True)
class Armed(Generic[FaultT]):
    """A fault in place: strikes with `probability` from its own `rng`, until `strikes_left` is 0 (None: for ever)."""

    id: str
    fault: FaultT
    rng: random.Random
    probability: float = 1.0
    strikes_left: int | None = None
    struck: int = 0

    def strikes(self, *, concerned: bool) -> bool:
        """Whether it strikes a call, which may not concern it; a strike is used up, a miss is not."""
        if self.strikes_left == 0 or not concerned or self.rng.random() >= self.probability:
            return False
        if self.strikes_left is not None:
            self.strikes_left -= 1
        self.struck += 1
        return True


def armed(name: str, fault: FaultT, *, probability: float, strikes: int | None, seed: int) -> Armed[FaultT]:
    """The fault, ready to strike; `name` is its id.

    Raises:
        BadFault: probability is not within 0 and 1, or strikes below 1.
    """
    if not 0.0 <= probability <= 1.0 or (strikes is not None and strikes < 1):
        message = "probability is within 0 and 1, strikes at least 1 or null"
        raise BadFault(message)
    return Armed(id=name, fault=fault, rng=random.Random(seed), probability=probability, strikes_left=strikes)
