"""What happens at Meta for one pixel: any fault of `simulators/meta/faults.py`, and the death of a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.faults.base import Meta, Reach, Undo


@dataclass(frozen=True, kw_only=True)
class MetaFault:
    """One of the fake Meta's faults, armed for the scenario's pixel.

    Its end takes every fault off the pixel, as the fake has no other way; an experiment arms the others anew.
    """

    name: ClassVar[str] = "meta"
    fault: str
    strikes: int | None = None
    probability: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def arm(self, meta: Meta) -> None:
        """Put it in place."""
        meta.arm(self.fault, strikes=self.strikes, probability=self.probability, **self.parameters)

    def begin(self, reach: Reach) -> Undo:
        """Arm it."""
        self.arm(reach.meta)

        def heal() -> None:
            reach.meta.disarm()

        return heal


@dataclass(frozen=True, kw_only=True)
class TokenDead:
    """The tenant's token has expired (190/463); at the end there is a new one, and the target has been told."""

    name: ClassVar[str] = "meta.token_dead"

    def begin(self, reach: Reach) -> Undo:
        """Let it die."""
        reach.meta.expire_token()

        def renew() -> None:
            reach.meta.renew_token()

        return renew
