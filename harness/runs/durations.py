"""How long scenarios take on this machine, from earlier runs; what a run will take is estimated from it.

The file lies beside the runs. It is a help, never evidence: one that is missing or cannot be read is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from harness.records import ScenarioResult
from harness.runs.schedule import CLOCKS, QueueName, queue_of
from harness.scenario_events import CollectedScenario

FILE = "durations.json"

#: Where no earlier run says more, in seconds of one scenario; rounded from runs on two cores.
GUESS_S: Mapping[QueueName, float] = {"shared": 0.6, "alone": 5.0, "travelling": 3.0, "monitored": 10.0}
#: Likewise: what a run takes beside its scenarios (start, privacy scan, report).
GUESS_OVERHEAD_S = 15.0
#: Likewise: how many scenarios are at work at a time, on average.
GUESS_AT_ONCE = 6.0

#: The share of what is new, so that one slow run does not mislead the next ones.
_NEW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """What earlier runs took."""

    scenarios: Mapping[str, float] = field(default_factory=dict)
    """Seconds, by key."""
    overhead_s: float = GUESS_OVERHEAD_S
    at_once: float = GUESS_AT_ONCE

    @classmethod
    def read(cls, path: Path) -> Self:
        """What that file says; nothing if there is none."""
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(path.read_bytes(), type=cls)
        return cls()

    def expected_s(self, scenario: CollectedScenario) -> float:
        """How long that scenario will take."""
        return self.scenarios.get(scenario.key, GUESS_S[queue_of(scenario)])

    def expected_run_s(self, scenarios: Iterable[CollectedScenario]) -> float:
        """How long a run of these will take: as long as the cores need for all, or the longest chain of them."""
        chosen = list(scenarios)
        total_s = sum(self.expected_s(one) for one in chosen)
        chains = [sum(self.expected_s(one) for one in chosen if queue_of(one) == name) for name in CLOCKS]
        return self.overhead_s + max(total_s / self.at_once, *chains)

    def known(self, scenarios: Iterable[CollectedScenario]) -> bool:
        """Whether most of them have run here before."""
        chosen = [one.key in self.scenarios for one in scenarios]
        return 2 * sum(chosen) > len(chosen)

    def after(self, results: Iterable[ScenarioResult], *, scenarios_s: float, run_s: float) -> Durations:
        """With what one run more took: its results, the time of its scenarios, and its whole time."""
        took = {one.id: one.duration_s for one in results if one.outcome == "passed"}
        if not took or not scenarios_s:
            return self
        mixed = {key: _NEW * took_s + (1 - _NEW) * self.scenarios.get(key, took_s) for key, took_s in took.items()}
        return Durations(
            scenarios={**self.scenarios, **{key: round(value, 3) for key, value in mixed.items()}},
            overhead_s=round(run_s - scenarios_s, 2),
            at_once=round(max(1.0, sum(took.values()) / scenarios_s), 2),
        )

    def write(self, path: Path) -> None:
        """Keep it for the next run; a folder that cannot be written to is no reason to fail."""
        with suppress(OSError):
            path.write_text(json.dumps(msgspec.to_builtins(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")
