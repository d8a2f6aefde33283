"""What is looked at once a second while load comes in: queues, the breaker, memory. It only looks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from harness.probes.database import DatabaseProbe
from harness.probes.queue import QueueProbe
from harness.stack.families import families
from harness.stack.stack import Stack
from harness.target import Probes


@dataclass(slots=True, kw_only=True)
class Readings:
    """Everything that was read, with seconds from the start of the run; empty where nobody could look."""

    dlq: list[int] = field(default_factory=list)
    queue: list[tuple[float, float]] = field(default_factory=list)
    breaker: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)


class LoadWatch:
    """Looks at one target through the probes that its file declares."""

    def __init__(self, stack: Stack, tenants: Sequence[str], *, breaker: bool) -> None:
        self._stack = stack
        self._tenants = tenants
        self.readings = Readings()
        probes = stack.target.probes
        self._dlq = _queue(probes, probes.dead_letters)
        self._queue = _queue(probes, probes.queue)
        self._breaker = probes.breaker if breaker and probes.database_url else None
        self._database = DatabaseProbe(probes.database_url) if probes.database_url else None

    def look(self, since_s: float) -> None:
        """Read everything once.

        Raises:
            HarnessError: what the target file names cannot be read.
        """
        if self._dlq is not None:
            self.readings.dlq.append(self._dlq.depth())
        if self._queue is not None:
            self.readings.queue.append((since_s, self._queue.depth()))
        if self._breaker is not None:
            self.readings.breaker.append((since_s, self._breakers(self._breaker)))
        if self._stack.target.start:
            self.readings.memory_mb.append((since_s, self._memory_mb()))

    def breakers_closed(self) -> bool:
        """Whether every breaker is closed, or nobody can look."""
        return self._breaker is None or set(self._breakers(self._breaker).values()) <= {"closed"}

    def _breakers(self, query: str) -> dict[str, str]:
        """By tenant; one that was never needed has no row, and is closed."""
        assert self._database is not None
        found = {one: self._database.value(query, {"tenant": one}) for one in self._tenants}
        return {tenant: "closed" if state is None else str(state) for tenant, state in found.items()}

    def matched(self) -> int | None:
        """How many purchases were matched to a click; None where the target file gives no query for it."""
        query = self._stack.target.probes.matched
        if query is None or self._database is None:
            return None
        return sum(int(self._database.value(query, {"tenant": one}) or 0) for one in self._tenants)

    def _memory_mb(self) -> float:
        """Resident memory of the target's processes and their children together."""
        nursery, whole = self._stack.nursery, 0
        for members in families([nursery.get(name).pid for name in nursery.names("target")]).values():
            for one in members:
                with suppress(psutil.Error):
                    whole += one.memory_info().rss
        return round(whole / 2**20, 1)

    def close(self) -> None:
        """Let the database go."""
        if self._database is not None:
            self._database.close()


def _queue(probes: Probes, name: str | None) -> QueueProbe | None:
    return QueueProbe(probes.aws_url, name) if name and probes.aws_url else None


def growth(readings: Sequence[tuple[float, float]]) -> str:
    """How memory went, in a sentence; empty where too little was read to say."""
    values = [value for _, value in readings]
    fifth = len(values) // 5
    if fifth < 1:
        return ""
    begin, end = (sorted(part)[len(part) // 2] for part in (values[fifth : 2 * fifth], values[-fifth:]))
    return f"The target's processes took {begin:.0f} MB in the second fifth of the run and {end:.0f} MB in the last."
