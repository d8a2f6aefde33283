"""An AWS endpoint of the run's own: ministack, on a port that the kernel picks."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.stack.processes import Child, Nursery, wait_ready

_LISTENING = re.compile(r"running on (http://127\.0\.0\.1:\d+)")

#: Any will do: nothing leaves this machine.
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class LocalAws:
    """ministack under uvicorn: measured, it takes less than half the CPU of hypercorn for a call."""

    def __init__(self) -> None:
        self.url = ""

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start it on loopback only (it would bind every interface by itself)."""
        argv = [sys.executable, "-P", "-m", "uvicorn", "ministack.app:app", "--host", "127.0.0.1", "--port", "0"]
        argv += ["--no-access-log", "--no-use-colors", "--timeout-keep-alive", "75"]
        return nursery.start("aws", argv, owner="harness", env={**env, "BIND_HOST": "127.0.0.1"}, log=log)

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it has said where it listens."""

        def complaint() -> str | None:
            found = _LISTENING.search(child.log.read_text(encoding="utf-8", errors="replace"))
            self.url = found.group(1) if found else ""
            return None if self.url else "it has not said where it listens"

        wait_ready(child, complaint, within_s=within_s)

    def discard(self) -> None:
        """Nothing: it keeps everything in its memory."""
