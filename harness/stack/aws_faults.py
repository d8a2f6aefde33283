"""The faults in front of the local AWS endpoint, as a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from harness.errors import HarnessError
from harness.stack.processes import Child, Nursery, wait_ready

_CALL_S = 10


class AwsFaults:
    """`python -m simulators.aws_faults`."""

    def __init__(self) -> None:
        self.url = ""
        self._control = ""

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start it on ports that the kernel picks; it may start before whoever stands behind it."""
        argv = [sys.executable, "-m", "simulators.aws_faults"]
        return nursery.start("aws faults", argv, owner="harness", env=env, log=log)

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it has said where it listens."""

        def complaint() -> str | None:
            for line in child.log.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("{") and '"control"' in line:
                    told = json.loads(line)
                    self.url, self._control = str(told["url"]), str(told["control"])
                    return None
            return "it has not said where it listens"

        wait_ready(child, complaint, within_s=within_s)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request to its control port, as `simulators/aws_faults/proxy.py` lists them.

        Raises:
            HarnessError: it refused, or does not answer.
        """
        try:
            answer = requests.request(method, self._control + path, json=body, timeout=_CALL_S)
        except requests.RequestException as error:
            raise HarnessError(f"the faults before AWS do not answer: {type(error).__name__}") from error
        if not answer.ok:
            raise HarnessError(f"the faults before AWS refused {method} {path}: {answer.text[:300]}")
        return answer.json()
