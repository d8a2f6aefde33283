"""What the alarms are tested on: each one's anomaly and its nearest healthy neighbour, minute by minute.

The numbers are the plan's (mission.md, 011.5c), never read from the template: the two must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.alarms.evaluator import Alarm, State, Watched
from harness.alarms.metrics import MetricId, Metrics, Summary

T0 = 1_772_352_000  # 2026-03-01 08:00:00 UTC
SQS = "AWS/SQS"
HERE = {"Environment": "staging"}

Sample = Callable[[Metrics, int, float], None]
"""Writes one minute of a signal into the metrics: the metrics, the minute, how bad it is."""


def gauge(name: str, dimensions: Mapping[str, str] = HERE, namespace: str = "Golive") -> Sample:
    """One value a minute."""
    metric = MetricId.of(namespace, name, dimensions)
    return lambda metrics, minute, value: metrics.put_value(metric, T0 + 60 * minute, value)


def queue(name: str, which: str) -> Sample:
    """One of SQS's own metrics."""
    return gauge(name, {"QueueName": which}, SQS)


def latency(name: str, samples: int = 100) -> Sample:
    """A minute of raw latencies: 94 % take 50 ms, the slowest 6 % the given time."""
    metric = MetricId.of("Golive", name, HERE)

    def write(metrics: Metrics, minute: int, slow_ms: float) -> None:
        counts = [round(0.94 * samples), samples - round(0.94 * samples)]
        metrics.put(metric, T0 + 60 * minute, Summary.of_values([50.0, slow_ms], counts))

    return write


def share(total: str, part: str, per_minute: int = 200) -> Sample:
    """A minute of two counters; the given share of the first, in percent, is the second one's."""
    first, second = gauge(total), gauge(part)

    def write(metrics: Metrics, minute: int, percent: float) -> None:
        first(metrics, minute, per_minute)
        if percent:  # a counter of nothing is not published
            second(metrics, minute, per_minute * percent / 100)

    return write


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alarm's row of the table."""

    write: Sample
    calm: float
    """An ordinary minute."""
    healthy: float
    """The nearest value that is still fine."""
    anomaly: float
    """The nearest value that is not."""
    true_after_min: int
    """Minutes of the anomaly after which the written condition is true."""
    pages_after_min: int
    """Minutes from the anomaly's begin to the page: exact."""
    resolves_after_min: int
    """Minutes from the anomaly's end to the resolve: exact."""
    dies_calm: State
    """The state long after the metric has fallen silent, from calm."""
    dies_ill: State
    """The same, from the anomaly."""
    mild: float | None = None
    """The nearest value that pages in the end, where the anomaly is a harder one."""

    def near_miss(self) -> Sequence[int]:
        """The minutes of an anomaly that is one minute too short."""
        return range(self.pages_after_min - 1)


def heartbeat(process: str) -> Case:
    """A process that counts itself once a minute; a dead one publishes 0 or, as all do in the end, nothing."""
    return Case(
        write=gauge("Heartbeats", {**HERE, "Process": process}),
        calm=4,
        healthy=1,
        anomaly=0,
        true_after_min=3,
        pages_after_min=3,
        resolves_after_min=1,
        dies_calm="ALARM",
        dies_ill="ALARM",
    )


VISIBLE, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
DLQ, DISPATCH = "golive-dispatch-dlq", "golive-dispatch"

CASES: Mapping[str, Case] = {
    "dlq-depth": Case(
        write=queue(VISIBLE, DLQ), calm=0, healthy=100, anomaly=101, true_after_min=30,
        pages_after_min=30, resolves_after_min=1, dies_calm="OK", dies_ill="OK",
    ),
    "dlq-age": Case(
        write=queue(AGE, DLQ), calm=0, healthy=86_400, anomaly=86_401, true_after_min=5,
        pages_after_min=5, resolves_after_min=1, dies_calm="OK", dies_ill="OK",
    ),
    "queue-depth": Case(
        write=queue(VISIBLE, DISPATCH), calm=3, healthy=5000, anomaly=5001, true_after_min=10,
        pages_after_min=10, resolves_after_min=1, dies_calm="OK", dies_ill="OK",
    ),
    "queue-age": Case(
        write=queue(AGE, DISPATCH), calm=1, healthy=300, anomaly=301, true_after_min=5,
        pages_after_min=5, resolves_after_min=1, dies_calm="OK", dies_ill="OK",
    ),
    # The metric counts the three minutes itself; a page that was right stays when the metric dies.
    "breaker-open": Case(
        write=gauge("SecondsSinceBreakerClosed"), calm=0, healthy=180, anomaly=181, true_after_min=0,
        pages_after_min=1, resolves_after_min=1, dies_calm="OK", dies_ill="ALARM",
    ),
    "token-expiry": Case(
        write=gauge("TokenSecondsLeft"), calm=5_000_000, healthy=86_400, anomaly=86_399, true_after_min=0,
        pages_after_min=1, resolves_after_min=1, dies_calm="OK", dies_ill="ALARM",
    ),
    # Everything fails: 95 % of an hour is lost in its fourth minute (3 of 60 are exactly 5 %).
    "webhook-success": Case(
        write=share("WebhookRequests", "WebhookFailures"), calm=0, healthy=5, anomaly=100, mild=5.5, true_after_min=4,
        pages_after_min=4, resolves_after_min=57, dies_calm="OK", dies_ill="OK",
    ),
    "tenant-signatures": Case(
        write=gauge("AccountsRefusingAll"), calm=0, healthy=0, anomaly=1, true_after_min=2,
        pages_after_min=2, resolves_after_min=2, dies_calm="OK", dies_ill="OK",
    ),
    "webhook-latency": Case(
        write=latency("WebhookLatencyMs"), calm=60, healthy=200, anomaly=201, true_after_min=4,
        pages_after_min=4, resolves_after_min=2, dies_calm="OK", dies_ill="OK",
    ),
    "dispatch-latency": Case(
        write=latency("DispatchLatencyMs"), calm=600, healthy=2000, anomaly=2001, true_after_min=4,
        pages_after_min=4, resolves_after_min=2, dies_calm="OK", dies_ill="OK",
    ),
    "dispatch-success": Case(
        write=share("DispatchesEnded", "DispatchesFailed"), calm=0, healthy=5, anomaly=100, mild=5.5, true_after_min=1,
        pages_after_min=1, resolves_after_min=15, dies_calm="OK", dies_ill="OK",
    ),
    # Nothing is matched any more: 70 % of an hour of full matches is lost in its nineteenth minute.
    "match-rate": Case(
        write=share("Purchases", "PurchasesMatched"), calm=100, healthy=70, anomaly=0, mild=69.5, true_after_min=19,
        pages_after_min=19, resolves_after_min=42, dies_calm="OK", dies_ill="OK",
    ),
    "database-connections": Case(
        write=gauge("DatabaseConnectionsPercent"), calm=20, healthy=80, anomaly=81, true_after_min=5,
        pages_after_min=5, resolves_after_min=1, dies_calm="INSUFFICIENT_DATA", dies_ill="INSUFFICIENT_DATA",
    ),
    "data-freshness": Case(
        write=gauge("AnalyticsAgeSeconds"), calm=120, healthy=300, anomaly=301, true_after_min=3,
        pages_after_min=3, resolves_after_min=1, dies_calm="ALARM", dies_ill="ALARM",
    ),
    **{f"heartbeat-{name}": heartbeat(name) for name in ("web", "relay", "consumer", "scheduler")},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of a signal."""

    pages: Sequence[int]
    """The minutes at which an incident was opened."""
    resolves: Sequence[int]
    notices: int
    """Notifications of ALARM, whether or not they opened an incident."""
    state: State


def replay(alarm: Alarm, metrics: Metrics, *, minutes: int, topic: str, start: int = 1, every: int = 1) -> Replay:
    """Evaluate each minute, and do with each notification what PagerDuty does: open once, resolve on OK."""
    watched, pages, resolves, notices, opened = Watched(alarm=alarm), [], [], 0, False
    for minute in range(start, minutes + 1, every):
        watched, change = watched.step(metrics, T0 + 60 * minute + 20)
        if change is None or topic not in change.actions:
            continue
        if change.new == "ALARM":
            notices += 1
            if not opened:
                pages.append(minute)
            opened = True
        elif change.new == "OK" and opened:
            resolves.append(minute)
            opened = False
    return Replay(pages=pages, resolves=resolves, notices=notices, state=watched.state)
