"""What happens to processes: killed, frozen, asked to end; and to the database as one of them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import ClassVar

from harness.faults.base import NothingToBreak, Reach, Undo


@dataclass(frozen=True, kw_only=True)
class _OfRole:
    role: str

    def _check(self, reach: Reach) -> None:
        if self.role not in reach.roles:
            close = difflib.get_close_matches(self.role, reach.roles, n=1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise NothingToBreak(f"the harness does not start the target's {self.role}{guess}")

    def _start(self, reach: Reach) -> None:
        reach.control.call("start" if reach.wait_ready else "launch", role=self.role)


@dataclass(frozen=True, kw_only=True)
class Kill(_OfRole):
    """A process of the target is killed with `kill -9`; at the end it is started again."""

    name: ClassVar[str] = "process.kill"

    def begin(self, reach: Reach) -> Undo:
        """Kill, and wait until it is gone."""
        self._check(reach)
        reach.control.call("kill", role=self.role)
        return lambda: self._start(reach)


@dataclass(frozen=True, kw_only=True)
class Pause(_OfRole):
    """A process of the target is frozen (SIGSTOP), with every connection open; at the end it goes on (SIGCONT)."""

    name: ClassVar[str] = "process.pause"

    def begin(self, reach: Reach) -> Undo:
        """Freeze it, with its children."""
        self._check(reach)
        reach.control.call("pause", role=self.role)

        def go_on() -> None:
            reach.control.call("resume", role=self.role)

        return go_on


@dataclass(frozen=True, kw_only=True)
class Terminate(_OfRole):
    """A process of the target is asked to end (SIGTERM) in mid-work; at the end it must have, and is started again."""

    name: ClassVar[str] = "process.terminate"

    def begin(self, reach: Reach) -> Undo:
        """Ask, and do not wait."""
        self._check(reach)
        reach.control.call("terminate", role=self.role)

        def start_again() -> None:
            try:  # a broken promise if it must be killed, or ended with a complaint
                reach.control.call("ended", role=self.role, within_s=reach.stop_s)
            finally:
                self._start(reach)

        return start_again


_DATABASE_IS_NOT_OURS = "the target's database is not one that the harness started"


@dataclass(frozen=True, kw_only=True)
class DatabaseDown:
    """PostgreSQL is shut down (fast: clients are cut) and refuses connections; at the end it is started again."""

    name: ClassVar[str] = "database.down"

    def begin(self, reach: Reach) -> Undo:
        """Shut it down, and wait until it is gone."""
        if reach.control.call("stop_database") is None:
            raise NothingToBreak(_DATABASE_IS_NOT_OURS)

        def start() -> None:
            reach.control.call("start_database")

        return start


@dataclass(frozen=True, kw_only=True)
class DatabaseReadOnly:
    """PostgreSQL takes no writes, as after a failover to a standby or on a full disk; at the end it does again."""

    name: ClassVar[str] = "database.read_only"

    def begin(self, reach: Reach) -> Undo:
        """Every transaction that begins from now on may only read."""
        if reach.control.call("database_read_only", on=True) is None:
            raise NothingToBreak(_DATABASE_IS_NOT_OURS)

        def write_again() -> None:
            reach.control.call("database_read_only", on=False)

        return write_again
