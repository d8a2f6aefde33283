"""The fakes as child processes: each prints one JSON line that says where it listens."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.stack.processes import Child, Nursery, wait_ready


class LocalSimulator:
    """`python -m simulators NAME`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""

    def start(
        self, nursery: Nursery, *, env: Mapping[str, str], log: Path, options: tuple[str, ...] = (), port: int = 0
    ) -> Child:
        """Start it on that port, or on one that the kernel picks."""
        # -P: a file of the same name where golive was called is not ours.
        argv = [sys.executable, "-P", "-m", "simulators", self.name, "--port", str(port), *options]
        return nursery.start(f"fake {self.name}", argv, owner="harness", env=env, log=log)

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it has said where it listens."""

        def complaint() -> str | None:
            for line in child.log.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("{") and '"url"' in line:
                    self.url = str(json.loads(line)["url"])
                    return None
            return "it has not said where it listens"

        wait_ready(child, complaint, within_s=within_s)
