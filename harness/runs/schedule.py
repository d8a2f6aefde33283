"""Which scenario runs next, and on which stack. Pure: no process, no clock.

Scenarios stand in queues. Those that share the first stack run many at a time. Those that must be alone run one at a
time on a stack, so several stacks serve their queue. Those of an instance with a clock of its own run one after the
other, in the order of their days. A worker serves one queue on one stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.scenario_events import CollectedScenario

QueueName = Literal["shared", "alone", "travelling", "monitored"]

#: Queues whose scenarios run on an instance with a clock of its own.
CLOCKS: tuple[QueueName, ...] = ("monitored", "travelling")


def queue_of(scenario: CollectedScenario) -> QueueName:
    """The queue that a scenario stands in."""
    if scenario.instance:
        return scenario.instance
    return "alone" if scenario.exclusive else "shared"


@dataclass(slots=True)
class Schedule:
    """The scenarios of a run that have not begun yet, and the ones at work."""

    queues: Mapping[QueueName, list[CollectedScenario]]
    by_key: Mapping[str, CollectedScenario]
    at_work: dict[str, str] = field(default_factory=dict)
    """Key of the scenario that a worker is running, by worker."""

    @classmethod
    def of(cls, scenarios: Iterable[CollectedScenario], expected_s: Callable[[CollectedScenario], float]) -> Schedule:
        """The longest first, so that no long scenario is left for the end; on an own clock, the earliest day first."""
        chosen = list(scenarios)
        names: tuple[QueueName, ...] = ("shared", "alone", *CLOCKS)
        queues: dict[QueueName, list[CollectedScenario]] = {name: [] for name in names}
        for one in sorted(chosen, key=lambda one: (-expected_s(one), one.key)):
            queues[queue_of(one)].append(one)
        for name in CLOCKS:
            queues[name].sort(key=lambda one: (one.day, one.key))
        return cls(queues=queues, by_key={one.key: one for one in chosen})

    def waiting(self, *names: QueueName) -> int:
        """How many scenarios of these queues have not begun."""
        return sum(len(self.queues[name]) for name in names)

    def claim(self, queue: QueueName, worker: str) -> CollectedScenario | None:
        """The next scenario of a queue; it is that worker's now. None: there is none left."""
        waiting = self.queues[queue]
        if not waiting:
            return None
        scenario = waiting.pop(0)
        self.at_work[worker] = scenario.key
        return scenario

    def ended(self, worker: str) -> CollectedScenario | None:
        """A worker has ended its scenario, or has itself ended: the scenario that it was at, if any."""
        key = self.at_work.pop(worker, None)
        return None if key is None else self.by_key[key]

    def clear(self) -> None:
        """Begin nothing more."""
        for waiting in self.queues.values():
            waiting.clear()
