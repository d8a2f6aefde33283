"""What happens at the AWS endpoint: gone as a whole, or failing by the table of `simulators/aws_faults/faults.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.faults.base import NothingToBreak, Reach, Undo

_NOT_OURS = "the target's AWS endpoint is not one that the harness started"


@dataclass(frozen=True, kw_only=True)
class EndpointGone:
    """Nobody listens at the AWS endpoint: connections are refused, open ones were reset; at the end it listens."""

    name: ClassVar[str] = "aws.gone"

    def begin(self, reach: Reach) -> Undo:
        """Stop listening."""

        def listen(listening: bool) -> Any:
            return reach.control.call("aws_faults", method="PUT", path="/listening", body={"listening": listening})

        if listen(False) is None:
            raise NothingToBreak(_NOT_OURS)

        def again() -> None:
            listen(True)

        return again


@dataclass(frozen=True, kw_only=True)
class AwsFault:
    """One of the faults of the man in the middle."""

    name: ClassVar[str] = "aws"
    fault: str
    strikes: int | None = None
    probability: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, reach: Reach) -> Undo:
        """Arm it."""
        body = {
            "fault": self.fault,
            "strikes": self.strikes,
            "probability": self.probability,
            "seed": reach.seed,
            **self.parameters,
        }
        armed = reach.control.call("aws_faults", method="POST", path="/faults", body=body)
        if armed is None:
            raise NothingToBreak(_NOT_OURS)

        def disarm() -> int:
            told = reach.control.call("aws_faults", method="DELETE", path=f"/faults/{armed['id']}")
            return int(told["struck"])

        return disarm
