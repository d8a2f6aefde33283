"""What the owner of the stack tells the processes that run scenarios."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.clock import RunClock
from harness.stack.control import Control
from harness.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInfo:
    """What the owner of the stack tells the processes that run scenarios."""

    seed: int
    clock: RunClock
    meta_url: str
    control: Control
    target: Target

    @classmethod
    def read(cls, path: Path) -> StackInfo:
        """Read what `Stack` has written."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            seed=data["seed"],
            clock=RunClock(**data["clock"]),
            meta_url=data["meta_url"],
            control=Control(Path(data["control"])),
            target=Target.model_validate(data["target"]),
        )
