"""The alarms' table: each driven by its own signals, minute by minute, as one row that says what it does. No I/O.

What is driven is the template's alarm as it is deployed; what it is measured by are the plan's numbers (signals.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.alarms.evaluator import Alarm
from harness.alarms.metrics import Metrics
from harness.alarms.signals import CASES, Case, Replay, replay

CALM = 70
"""Minutes before the anomaly: longer than the longest period."""
AFTER, LONG = 80, 45
SILENCE = 200
"""Longer than three of the longest periods: the last real points have left the range by then."""
PLAN_LIMIT_MIN = 5
"""On-call is alerted within 5 min of the moment when the written condition is true."""
DAY_MIN = 1440

Cell = tuple[str, Any, Any]
"""A column, what the alarm does, what the plan wants."""


def series(case: Case, values: Sequence[float | None]) -> Metrics:
    """One value a minute; None: nothing was published."""
    metrics = Metrics()
    for minute, value in enumerate(values):
        if value is not None:
            case.write(metrics, minute, value)
    return metrics


def played(alarm: Alarm, case: Case, values: Sequence[float | None], *, topic: str) -> Replay:
    """What comes of one value a minute."""
    return replay(alarm, series(case, values), minutes=len(values), topic=topic)


def cells(alarm: Alarm, case: Case, *, topic: str) -> Iterator[Cell]:
    """One row of the table, one signal after the other."""

    def found(*parts: Sequence[float | None]) -> Replay:
        return played(alarm, case, [value for part in parts for value in part], topic=topic)

    calm, ill = [case.calm] * CALM, case.anomaly
    seen = found(calm, [ill] * LONG, [case.calm] * AFTER)
    yield "pages after", [minute - CALM for minute in seen.pages], [case.pages_after_min]
    yield "tells it once", seen.notices, 1
    yield "resolves after", [minute - CALM - LONG for minute in seen.resolves], [case.resolves_after_min]
    seen = found(calm, [case.healthy] * (LONG + AFTER))
    yield "silent on the nearest healthy signal", (seen.pages, seen.notices), ([], 0)
    seen = found(calm, [ill if minute in case.near_miss() else case.calm for minute in range(AFTER)])
    yield "silent on an anomaly that is too short", (seen.pages, seen.notices), ([], 0)
    seen = found(calm, [ill if case.mild is None else case.mild] * (CALM + LONG))
    yield "fires on the nearest unhealthy signal", len(seen.pages), 1
    silence: list[float | None] = [None] * SILENCE
    seen = found(calm, silence)
    yield "dead metric, calm", (seen.state, len(seen.pages)), (case.dies_calm, int(case.dies_calm == "ALARM"))
    yield "dead metric, ill", found(calm, [ill] * LONG, silence).state, case.dies_ill


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a report says of one alarm. None: it was not tested, which is no pass."""

    name: str
    fires: bool | None = None
    silent: bool | None = None
    once: bool | None = None
    resolves: bool | None = None
    minutes_to_page: float | None = None
    """From the moment when the written condition is true to the page, in minutes of the plan's time."""

    def to_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self)

    def complaints(self) -> list[str]:
        """What is not as it should be, each in words."""
        if self.fires is None:
            return [f"{self.name}: golive has no signal to test it with"]
        said = [
            (self.fires, "does not fire as the plan says, or changes when its metric dies"),
            (self.silent, "pages on a healthy signal"),
            (self.once, "does not page exactly once"),
            (self.resolves, "does not resolve when it should"),
        ]
        found = [f"{self.name} {words}" for fine, words in said if not fine]
        if self.fires and (self.minutes_to_page is None or not 0 <= self.minutes_to_page <= PLAN_LIMIT_MIN):
            found.append(f"{self.name} pages {self.minutes_to_page} minutes after its condition is true")
        return found


#: Which column of the report each cell speaks for.
_COLUMNS: Mapping[str, str] = {
    "pages after": "fires",
    "fires on the nearest unhealthy signal": "fires",
    "dead metric, calm": "fires",
    "dead metric, ill": "fires",
    "silent on the nearest healthy signal": "silent",
    "silent on an anomaly that is too short": "silent",
    "tells it once": "once",
    "resolves after": "resolves",
}


def row(name: str, alarm: Alarm, *, topic: str, days: Sequence[int] = (1, 2)) -> Row:
    """One alarm's row, its quiet launch days included (one for each seed)."""
    case = CASES.get(name)
    if case is None:
        return Row(name=name)
    columns = dict.fromkeys(("fires", "silent", "once", "resolves"), True)
    minutes: float | None = None
    for what, got, wanted in cells(alarm, case, topic=topic):
        columns[_COLUMNS[what]] &= got == wanted
        if what == "pages after" and got:
            minutes = float(got[0] - case.true_after_min)
    for seed in days:
        seen = quiet(name, alarm, case, topic=topic, seed=seed)
        columns["silent"] &= (seen.notices, seen.state) == (0, "OK")
    return Row(name=name, minutes_to_page=minutes, **columns)


def quiet(name: str, alarm: Alarm, case: Case, *, topic: str, seed: int, minutes: int = DAY_MIN) -> Replay:
    """A launch day with noise from a seed, one odd minute in a hundred, and one datapoint in 200 lost on its way.

    Its first five minutes are calm: an alarm that treats missing data as breaching and is made before its metric pages.
    """
    value, lost = quiet_day(seed), random.Random(f"lost {seed}")
    values = [None if lost.random() < 0.005 else value(name, minute) for minute in range(minutes)]
    return played(alarm, case, [*[case.calm] * 5, *values], topic=topic)


def quiet_day(seed: int) -> Callable[[str, int], float]:
    """A launch day with its ordinary noise, for each alarm's signal: the name and the minute -> the value."""
    noise = random.Random(f"quiet day {seed}")

    def value(name: str, minute: int) -> float:
        busy = 1.0 if 480 <= minute < 1380 else 0.1
        rare = noise.random() < 0.01  # one minute in a hundred is odd
        kinds: Mapping[str, Callable[[], float]] = {
            "dlq-depth": lambda: noise.choice([0, 0, 0, 1, 2, 40]) if rare else 0,
            "dlq-age": lambda: noise.uniform(0, 3600) if rare else 0,
            "queue-depth": lambda: 6000 * busy if rare else noise.expovariate(1 / 20),
            "queue-age": lambda: 400 if rare else noise.expovariate(1 / 2),
            "breaker-open": lambda: noise.uniform(0, 90) if rare else 0,
            "token-expiry": lambda: 60 * 86_400 - 60 * minute,
            "webhook-success": lambda: 30 if rare else noise.uniform(0, 1),
            "tenant-signatures": lambda: 0,
            "webhook-latency": lambda: 900 if rare else noise.uniform(60, 150),
            "dispatch-latency": lambda: 4000 if rare else noise.uniform(300, 1200),
            "dispatch-success": lambda: 10 if rare else noise.uniform(0, 1),
            "match-rate": lambda: 40 if rare else noise.uniform(75, 95),
            "database-connections": lambda: 85 if rare else noise.uniform(10, 50),
            "data-freshness": lambda: 310 if rare else noise.uniform(0, 260),
        }
        return kinds.get(name, lambda: 0 if rare else 4)()

    return value
