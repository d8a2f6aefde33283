"""Once a minute to CloudWatch, from a thread of its own: nobody who does work waits for it.

What belongs to a minute is sent when that minute is over, and carries the minute's time. While CloudWatch is away it is
kept, an hour's worth at most, and sent when it is back; beyond that the oldest is let go. All of that is a line in the
log, and nothing else: a purchase is worth more than a number about it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from reference_impl.logs import place
from reference_impl.monitoring.meter import Datum, Meter
from reference_impl.monitoring.names import UNITS

log = logging.getLogger(__name__)

MAX_DATA = 1000
"""Data in one PutMetricData."""
MAX_BYTES = 900_000
"""Of the 1 MB that one call may have; the estimate below is of its longest form."""
_DATUM_BYTES, _VALUE_BYTES = 400, 100
KEEP = 60
"""Periods that are kept while CloudWatch is away: an hour."""

Put = Callable[[Sequence[Mapping[str, Any]]], None]
"""Sends one call's MetricData. Raises what botocore raises."""
Source = Callable[[], Mapping[str, float]]
"""Measures gauges and what is only counted elsewhere: metric -> value. May raise: then these are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Period:
    at_s: float
    data: Sequence[Datum]


class Publisher:
    """One process's voice.

    Units:
        `every_s`: the period; CloudWatch's alarms want 60. `look_s`: how often the clock is looked at, and so how late
        a period is sent at the most. `now_s`: seconds since 1970; a clock that jumps ends a period.

    `alive`: whether the process does its work; only then is its heart heard to beat. `settle` returns once what was due
    at the period's end has had its turn, so that a number is not called old in the moment in which it is made anew.
    """

    def __init__(
        self,
        *,
        process: str,
        environment: str,
        meter: Meter,
        put: Put,
        now_s: Callable[[], float],
        every_s: float = 60.0,
        look_s: float = 1.0,
        sources: Sequence[Source] = (),
        alive: Callable[[], bool] = lambda: True,
        settle: Callable[[], None] = lambda: None,
        keep: int = KEEP,
    ) -> None:
        self._process = process
        self._environment = environment
        self._meter = meter
        self._put = put
        self._now_s = now_s
        self._every_s = every_s
        self._look_s = look_s
        self._sources = tuple(sources)
        self._alive = alive
        self._settle = settle
        self._waiting: deque[_Period] = deque()
        self._keep = keep
        self._away = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin; the first period is sent when it is over."""
        self._thread.start()

    def close(self, *, within_s: float = 3.0) -> None:
        """Send what was counted last, if that is quickly done."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def _run(self) -> None:
        period = self._period()
        while not self._ended.wait(self._look_s):
            if (now := self._period()) != period:
                period = now
                self.publish((now - 1) * self._every_s)
        self.publish(period * self._every_s, last=True)

    def _period(self) -> int:
        return int(self._now_s() // self._every_s)

    def publish(self, at_s: float, *, last: bool = False) -> None:
        """Take what there is as the period that began at `at_s`, and send all that waits. Never raises.

        `last`: the process ends; nothing is measured any more, and it does not say that it lives.
        """
        try:
            self._take(at_s, last=last)
            self._send()
        except Exception as error:  # noqa: BLE001 -- whatever it is: the work goes on, and the next period is tried
            log.error("metrics: a period was not published: %s", place(error))

    def _take(self, at_s: float, *, last: bool) -> None:
        measured: dict[str, float] = {}
        if not last:
            self._settle()
        for source in () if last else self._sources:
            try:
                measured |= source()
            except Exception as error:  # noqa: BLE001 -- the database is away, most likely: the others are told all the same
                log.warning("metrics: something could not be measured: %s", place(error))
        data = self._meter.take()
        data += [Datum(name=name, values=(float(value),), counts=(1.0,)) for name, value in measured.items()]
        if not last and self._alive():
            data.append(Datum(name="Heartbeats", values=(1.0,), counts=(1.0,)))
        if data:
            self._waiting.append(_Period(at_s=at_s, data=data))
        while len(self._waiting) > self._keep:
            gone = self._waiting.popleft()
            log.error("metrics: those of %s are let go, %d others wait", _moment(gone.at_s), len(self._waiting))

    def _send(self) -> None:
        while self._waiting:
            period = self._waiting[0]
            told = [self._told(one, period.at_s) for one in period.data]
            for batch in batches(told):
                if not self._sent(batch):
                    return
            # Twice is possible: the second of two calls failed, and both are made again. A minute has one, in practice.
            self._waiting.popleft()
        if self._away:
            self._away = False
            log.info("metrics: CloudWatch is back")

    def _sent(self, batch: Sequence[Mapping[str, Any]]) -> bool:
        """Whether this batch is done with; False: it is tried again with the next period."""
        try:
            self._put(batch)
        except ClientError as error:
            if _is_final(error):
                log.error("metrics: CloudWatch refuses %d data for good: %s", len(batch), _code(error))
                return True
            self._complain(_code(error))
            return False
        except Exception as error:  # noqa: BLE001 -- no name, no route, no answer: all the same to us
            self._complain(type(error).__name__)
            return False
        return True

    def _complain(self, why: str) -> None:
        self._away = True
        log.warning("metrics: CloudWatch cannot be reached (%s); %d periods wait", why, len(self._waiting))

    def _told(self, datum: Datum, at_s: float) -> Mapping[str, Any]:
        dimensions = [{"Name": "Environment", "Value": self._environment}]
        if datum.name == "Heartbeats":
            dimensions.append({"Name": "Process", "Value": self._process})
        return {
            "MetricName": datum.name,
            "Dimensions": dimensions,
            "Timestamp": datetime.fromtimestamp(at_s, UTC),
            "Values": list(datum.values),
            "Counts": list(datum.counts),
            "Unit": UNITS[datum.name],
        }


def batches(data: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """As few calls as CloudWatch's limits allow."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for one in data:
        cost = _DATUM_BYTES + _VALUE_BYTES * len(one["Values"])
        if batch and (len(batch) == MAX_DATA or size + cost > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += cost
    if batch:
        yield batch


def _is_final(error: ClientError) -> bool:
    """A mistake of ours, which stays one however often it is said; not a throttle, a time-out or an expired key."""
    return _code(error) in (
        "InvalidParameterValue",
        "InvalidParameterCombination",
        "MissingParameter",
        "ValidationError",
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
