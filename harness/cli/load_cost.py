"""What a load run costs: the CPU and the memory of everything that takes part, looked at while load comes in.

It reads what the kernel counts. A process that ends between two looks has used up to one look's time more than is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

from harness.records import LoadCost, LoadCostPart
from harness.stack.families import families
from harness.stack.processes import Nursery

#: How much of a load run's CPU golive itself may take: what it takes, the target does not get.
GOAL_PERCENT = 25.0
TARGET, DATABASE, AWS, FAKES, ITSELF, GENERATOR = "target", "database", "AWS stand-in", "fakes", "golive", "generator"
_PARTS = (TARGET, DATABASE, AWS, FAKES, ITSELF, GENERATOR)
_Key = tuple[int, float]
"""A process id and when it began: ids are used again."""


class CostMeter:
    """Counts between `begin` and `end`, as often as there are such stretches; its sums go over all of them."""

    def __init__(self, nursery: Nursery, *, in_sight: bool = True) -> None:
        """`in_sight`: whether database and AWS stand-in are processes that can be read, and not in containers."""
        self._nursery = nursery
        self._parts = _PARTS if in_sight else tuple(part for part in _PARTS if part not in (DATABASE, AWS))
        self._first: dict[_Key, float] = {}
        self._last: dict[_Key, tuple[str, float]] = {}
        self._cpu_s = dict.fromkeys(_PARTS, 0.0)
        self._peak_mb = dict.fromkeys(_PARTS, 0.0)
        self._seen: set[str] = set()
        self._counting = False

    def begin(self) -> None:
        """From now on it counts; what has been used so far is not part of it."""
        self._first, self._last, self._counting = {}, {}, True
        for key, (_, used_s, _) in self._all().items():
            self._first[key] = used_s
        self.look()

    def look(self) -> None:
        """Read everything once; cheap, and nothing while it does not count."""
        if not self._counting:
            return
        memory_mb = dict.fromkeys(_PARTS, 0.0)
        for key, (part, used_s, resident_mb) in self._all().items():
            self._last[key] = (part, used_s)
            memory_mb[part] += resident_mb
            self._seen.add(part)
        self._peak_mb = {part: max(self._peak_mb[part], memory_mb[part]) for part in _PARTS}

    def end(self) -> None:
        """Look once more, and add this stretch to the sums; safe to call twice."""
        if not self._counting:
            return
        self.look()
        self._counting = False
        for key, (part, used_s) in self._last.items():
            self._cpu_s[part] += used_s - self._first.get(key, 0.0)

    def cost(self, events: int) -> LoadCost | None:
        """For so many requests; None where there is nothing to divide by, or the target's share cannot be seen."""
        known = [part for part in self._parts if part in self._seen]
        if not events or TARGET not in known:
            return None
        parts = tuple(
            LoadCostPart(
                name=part,
                cpu_s=round(self._cpu_s[part], 3),
                cpu_s_per_1000=round(self._cpu_s[part] / events * 1000, 3),
                peak_memory_mb=round(self._peak_mb[part], 1),
            )
            for part in known
        )
        whole_s = sum(self._cpu_s[part] for part in known if part != GENERATOR)
        own_s = self._cpu_s[ITSELF] + self._cpu_s[FAKES]
        share = 100 * own_s / whole_s if whole_s and self._parts == _PARTS else None
        return LoadCost(
            events=events,
            parts=parts,
            golive_percent=None if share is None else round(share, 1),
            goal_percent=GOAL_PERCENT,
        )

    def _all(self) -> dict[_Key, tuple[str, float, float]]:
        """Every process: its part, the CPU it has used in s, its resident memory in MB."""
        found: dict[_Key, tuple[str, float, float]] = {}
        for part, process in self._processes():
            with suppress(psutil.Error), process.oneshot():
                times, key = process.cpu_times(), (process.pid, process.create_time())
                # A target's helper may be a child of ours as well: whoever names it first has it.
                found.setdefault(key, (part, times.user + times.system, process.memory_info().rss / 2**20))
        return found

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        parts = {
            child.pid: TARGET if owner == "target" else _part_of(name)
            for owner in ("target", "harness")
            for name in self._nursery.names(owner)
            if (child := self._nursery.get(name)).running()
        }
        found = families(parts)
        for root, part in parts.items():
            for one in found.get(root, ()):
                yield part, one
        yield ITSELF, psutil.Process()


def _part_of(name: str) -> str:
    """Which part a child of the harness belongs to, by its name in the nursery."""
    if name.startswith("load generator"):
        return GENERATOR
    return {"postgres": DATABASE, "aws": AWS}.get(name, FAKES)
