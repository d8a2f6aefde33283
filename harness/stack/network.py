"""The network between the target and what it needs: proxies of our own, which are there only when a scenario asks.

A proxy costs some of the target's speed, and the addresses of a process are fixed when it starts. So nothing stands
between them until the first scenario asks for a network fault (such scenarios run alone, after all others); then the
target is stopped as a deployment stops it and started again behind the proxies, and stays there until the run ends.
A load run never asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from harness.errors import HarnessError
from harness.stack.processes import Child, Nursery
from harness.stack.simulators import LocalSimulator

#: What `${...}` of a target file each link stands for.
PLACEHOLDERS: Mapping[str, str] = {"database": "database_url", "aws": "aws_url", "meta": "meta_url"}

#: The name of PostgreSQL's socket in its folder.
PG_SOCKET = ".s.PGSQL.5432"

_READY_S = 30
_CALL_LIMIT_S = 5


class Links:
    """The proxies of a run, in a process of their own."""

    def __init__(self) -> None:
        self._proxy = LocalSimulator("network")
        self._child: Child | None = None
        self.values: dict[str, str] = {}
        """What `${...}` is for a process behind the proxies."""
        self.urls: dict[str, str] = {}
        """Where each link is entered."""

    @property
    def control_url(self) -> str:
        """Where toxics are added."""
        return self._proxy.url

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> None:
        """Start the process, without any proxy in it yet.

        Raises:
            HarnessError: it does not come up.
        """
        self._child = self._proxy.start(nursery, env=env, log=log)
        self._proxy.wait_ready(self._child, within_s=_READY_S)

    def stop(self) -> None:
        """End the process, as it wants to be ended: it takes its Unix sockets along."""
        if self._child is not None:
            self._child.ask_to_stop()
            self._child.ensure_stopped()

    def to_http(self, name: str, url: str) -> None:
        """A link to an HTTP server."""
        told = self._open(name, upstream=f"tcp:{urlsplit(url).netloc}")
        self._opened(name, f"http://{told['listen'].removeprefix('tcp:')}")

    def to_server(self, name: str, url: str) -> None:
        """A link to any server on TCP whose URL names host and port; user, password and path stay as they are."""
        there = urlsplit(url)
        told = self._open(name, upstream=f"tcp:{there.hostname}:{there.port}")
        user, at, _ = there.netloc.rpartition("@")
        self._opened(name, there._replace(netloc=user + at + told["listen"].removeprefix("tcp:")).geturl())

    def to_postgres(self, name: str, url: str, *, folder: Path, through: Path) -> None:
        """A link to the PostgreSQL whose socket is in a folder; entered by a socket in another folder."""
        through.mkdir(mode=0o700, exist_ok=True)
        self._open(name, upstream=f"unix:{folder}/{PG_SOCKET}", listen=f"unix:{through}/{PG_SOCKET}")
        self._opened(name, url.replace(f"host={folder}", f"host={through}"))

    def _opened(self, name: str, url: str) -> None:
        self.urls[name] = url
        if name in PLACEHOLDERS:
            self.values[PLACEHOLDERS[name]] = url

    def _open(self, name: str, **addresses: str) -> dict[str, Any]:
        answer = requests.post(
            f"{self.control_url}/_golive/proxies", json={"name": name, **addresses}, timeout=_CALL_LIMIT_S
        )
        if answer.status_code != 201:
            raise HarnessError(f"the link {name} could not be opened: {answer.status_code} {answer.text[:300]}")
        told: dict[str, Any] = answer.json()
        return told
