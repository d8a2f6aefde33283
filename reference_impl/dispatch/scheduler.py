"""What must happen now and then, and in one place only: found again, renewed, tidied up.

Any number of schedulers may run; whoever holds the advisory lock works, the others wait for it. The lock lives
as long as the leader's connection, so a leader that dies is replaced at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from reference_impl.dispatch.loops import Connection, Session
from reference_impl.dispatch.stopping import Stop

log = logging.getLogger(__name__)

_LOCK = 4_906_011
"""Any number, the same in every scheduler: the name of the leadership."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One recurring job, and how often it is due."""

    name: str
    every_s: float
    work: Callable[[Connection], None]


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Runs each duty when it is due, while it is the leader.

    What is due is told by the wall clock: "daily" is a promise about days. A machine that was suspended over night
    does at once what it has missed, which a monotonic clock would not notice.

    Units:
        `now_s`: seconds since 1970. `tick_s`: the longest pause between two looks at what is due, and how soon a dead
        leader is replaced.
    """

    session: Session
    stop: Stop
    duties: list[Duty]
    now_s: Callable[[], float]
    tick_s: float = 1.0
    _leading: Connection | None = field(default=None, init=False)
    _last_s: dict[str, float] = field(default_factory=dict, init=False)

    def step(self) -> None:
        """Do what is due, then wait for the next tick."""
        connection = self.session.connection()
        if self._leads(connection):
            for duty in self.duties:
                self._if_due(duty, connection)
        self.stop.wait(self.tick_s)

    def _leads(self, connection: Connection) -> bool:
        """Whether this process is the leader, trying to become it. A new connection has to win anew."""
        if self._leading is connection:
            return True
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is None or not row[0]:
            return False
        log.info("scheduler: leading")
        self._leading = connection
        return True

    def _if_due(self, duty: Duty, connection: Connection) -> None:
        now_s = self.now_s()
        last_s = self._last_s.get(duty.name)
        # Before the last time: the clock was set back, and would leave the duty undone for as long.
        if self.stop.requested or (last_s is not None and 0 <= now_s - last_s < duty.every_s):
            return
        # Entered first: a duty that fails is tried again when it is next due, and starves no other.
        self._last_s[duty.name] = now_s
        duty.work(connection)
