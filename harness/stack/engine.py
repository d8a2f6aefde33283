"""The seam between the stack and what starts its database and its AWS endpoint.

An engine makes the two parts; the stack asks a part for what it needs and for what a fault does to it, and never how.
`LocalEngine` starts what PyPI brings, as children; `harness.stack.containers` does it with a container engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from harness.stack.aws import LocalAws
from harness.stack.network import Links
from harness.stack.postgres import LocalPostgres
from harness.stack.processes import Child, Nursery
from harness.target import Target


class Part(Protocol):
    """Something that the target needs, which runs as long as its child does."""

    url: str

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start it; again, after it was stopped, on what it has left."""

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it can be used."""

    def discard(self) -> None:
        """Remove what an ended child may have left outside the stack's folder; safe to call twice, and unstarted."""


class Database(Part, Protocol):
    """A PostgreSQL server with one database, `url`, and what can be done to it."""

    @property
    def tools(self) -> Path | None:
        """The folder that has a psql for this server; None: it brings none."""

    def prepare(self) -> None:
        """What has to be done once, before the first start."""

    def copy(self, name: str) -> str:
        """A new database with all that the first one holds, while nobody is connected to that; its URL."""

    def stop(self, child: Child) -> None:
        """End it as an operator does: clients are cut, what is committed is on disk; returns when it has ended."""

    def crash(self, child: Child, *, within_s: float) -> None:
        """Kill every process of it, as `kill -9` does; returns when nothing of it is left.

        Raises:
            HarnessError: something is still there.
        """

    def link(self, links: Links, url: str, *, through: Path) -> None:
        """Open the link `database` to one of its databases; `through` may be made, for sockets."""


class Engine(Protocol):
    """Where the parts come from."""

    name: str
    note: str
    """For the report, behind the machine: what the parts are, where that is not always the same; else empty."""
    stays: str | None
    """Why its parts cannot follow a clock that jumps; None: they can."""
    in_sight: bool
    """Whether the parts are processes of ours, so that what they use can be read."""
    ready_s: float
    """A part that is not up after this long will not come up."""

    def ready(self, target: Target, tell: Callable[[str], None]) -> None:
        """Return if what that target needs can be started; `tell` is for what takes long.

        Raises:
            UsageError: it can not; with the next step.
        """

    def database(self, folder: Path) -> Database:
        """A server that is not started yet; the folder is its own, and need not exist."""

    def aws(self) -> Part:
        """An AWS endpoint that is not started yet."""


class LocalEngine:
    """Children of golive: the PostgreSQL and the AWS endpoint that PyPI brings."""

    name = "local"
    note = ""
    stays: str | None = None
    in_sight = True
    ready_s = 30.0

    def ready(self, target: Target, tell: Callable[[str], None]) -> None:
        """Nothing: what is not installed says so when it is started."""

    def database(self, folder: Path) -> Database:
        """The embedded PostgreSQL."""
        return LocalPostgres(folder)

    def aws(self) -> Part:
        """Ministack."""
        return LocalAws()


LOCAL = LocalEngine()
