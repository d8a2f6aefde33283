"""What a load run's raw samples say: the service levels, and whether the generator can be believed. Pure.

A latency counts from the moment a request was *due*: a generator that waits for a stalled target sends later, and
would otherwise not see the stall (coordinated omission). The uncorrected figure is shown beside it.
"""

from __future__ import annotations

import csv
import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.checks import slo
from harness.errors import HarnessError
from harness.records import Arrival, Delivery, Ledger, SloResult

WEBHOOK_MS = 200.0
DISPATCH_S = 2.0
SUCCESS_PERCENT = 99.0
Span = tuple[float, float]
"""From when until when, in seconds from the start of the run."""
DLQ_MESSAGES = 50.0
LAG_MS = 10.0
DASHBOARD_MS = 1_000.0
SITE = "site"
"""In the place of a gateway: a page told of a visitor (load/webhooks.py)."""
READER = "dashboard"
"""In the place of a gateway: somebody opened the dashboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request, as its generator wrote it down; moments are seconds from the start of the run."""

    number: int
    due_s: float
    sent_s: float
    answered_s: float
    status: int | None
    """None: no answer came."""
    gateway: str
    dialect: str
    tenant: str
    sale: str

    @property
    def accepted(self) -> bool:
        """Whether the target took responsibility for it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_webhook(self) -> bool:
        """Whether a gateway sent it; else a page did."""
        return self.gateway not in (SITE, READER)

    @property
    def is_page_event(self) -> bool:
        """Whether Meta is to hear of it as a PageView or an InitiateCheckout."""
        return self.gateway == SITE and self.dialect != "click"

    @property
    def corrected_ms(self) -> float:
        """From the moment it was due; infinite where no answer came."""
        return math.inf if self.status is None else max(0.0, self.answered_s - self.due_s) * 1000

    @property
    def uncorrected_ms(self) -> float:
        """From the moment it was sent."""
        return math.inf if self.status is None else (self.answered_s - self.sent_s) * 1000

    @property
    def lag_ms(self) -> float:
        """How late the generator was."""
        return max(0.0, self.sent_s - self.due_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that was observed of a load run."""

    samples: Sequence[Sample]
    """In the order in which they were due; those of pages are judged as requests, and counted apart."""
    counted_at_s: Mapping[str, float]
    """By sale: when Meta had answered the call in which it first counted it, in seconds from the start of the run."""
    ledger: Ledger
    dlq_depths: Sequence[int]
    """One reading a second; empty where nobody could look."""
    settled: frozenset[str] = frozenset()
    """Sales that rightly end without Meta (suppressed, expired, held)."""
    excluded: Span | None = None
    """What was accepted in these seconds is no dispatch latency: Meta was gone, or the backlog of that drained."""
    matched: int | None = None
    """Purchases that the target matched to a click; None where it cannot be asked."""


def together(seens: Sequence[Seen]) -> Seen:
    """Several schedules of different sales as one, each beginning where the one before has ended; one book.

    The last look at the dead letters saw them all, and nobody can say of several schedules what was matched.
    """
    last, samples, counted_at_s, begins_s = seens[-1], list[Sample](), dict[str, float](), 0.0
    for one in seens:
        for sample in one.samples:
            times_s = {name: getattr(sample, name) + begins_s for name in ("due_s", "sent_s", "answered_s")}
            samples.append(replace(sample, **times_s))
        counted_at_s |= {sale: at_s + begins_s for sale, at_s in one.counted_at_s.items()}
        begins_s = max((max(one.sent_s, one.answered_s) for one in samples), default=begins_s)
    return replace(
        last,
        samples=samples,
        counted_at_s=counted_at_s,
        ledger=sum((one.ledger for one in seens), Ledger()),
        settled=frozenset().union(*(one.settled for one in seens)),
        matched=last.matched if len(seens) == 1 else None,
    )


def read(texts: Iterable[str], *, planned: int) -> list[Sample]:
    """The samples of all generators, in the order in which they were due.

    Raises:
        HarnessError: a line cannot be read, or samples are missing: what was not written down cannot be judged.
    """
    try:
        found = [_sample(row) for text in texts for row in csv.DictReader(text.splitlines())]
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"the generator's samples cannot be read: {error}") from None
    if len({one.number for one in found}) != planned:
        raise HarnessError(f"the generator wrote down {len(found)} of {planned} requests; nothing can be said")
    return sorted(found, key=lambda one: (one.due_s, one.number))


def _sample(row: Mapping[str, str]) -> Sample:
    return Sample(
        number=int(row["number"]),
        due_s=float(row["due_s"]),
        sent_s=float(row["sent_s"]),
        answered_s=float(row["answered_s"]),
        status=int(row["status"]) if row["status"] else None,
        gateway=row["gateway"],
        dialect=row["dialect"],
        tenant=row["tenant"],
        sale=row["sale"],
    )


def deliveries(samples: Iterable[Sample], *, began_s: float) -> list[Delivery]:
    """The samples as the ledger wants them; `began_s` is the start of the run in seconds since 1970."""
    return [
        Delivery(
            scenario="load",
            tenant=one.tenant,
            gateway=one.gateway,
            dialect=one.dialect,
            event="approved",
            meaning="purchase",
            sale=one.sale,
            status=one.status,
            answer_ms=None if one.status is None else one.uncorrected_ms,
            sent_at_s=began_s + one.sent_s,
            wire_sha256="",
        )
        for one in samples
        if one.is_webhook
    ]


def page_findings(samples: Iterable[Sample], arrivals: Iterable[Arrival]) -> list[str]:
    """What is wrong with accepted page events: each is to be counted by Meta once, under its own event id."""
    times = Counter(one.event_id for one in arrivals if one.counted)
    told = [one.sale for one in samples if one.is_page_event and one.accepted]
    lost, doubled = sum(not times[one] for one in told), sum(times[one] > 1 for one in told)
    found = [(lost, "never reached Meta"), (doubled, "were counted more than once")]
    return [f"{count} of {len(told)} page events {what}" for count, what in found if count]


def counted_at_s(arrivals: Iterable[Arrival], *, began_s: float) -> dict[str, float]:
    """By sale or page event, when Meta first counted it, in seconds from the start; `began_s` is on Meta's clock."""
    found: dict[str, float] = {}
    for one in arrivals:
        if one.counted and (name := one.order_id or one.event_id):
            found.setdefault(name, one.at_s - began_s)
    return found


def judge(seen: Seen, *, seed: int) -> tuple[SloResult, ...]:
    """Every service level of the plan that a load run can see; undecided where the generator was late itself."""
    lag_ms = percentile([one.lag_ms for one in seen.samples], 0.99)
    webhooks = [one for one in seen.samples if one.is_webhook]
    latencies = [
        slo.p95(slo.WEBHOOK_P95, [one.corrected_ms for one in webhooks], target=WEBHOOK_MS, seed=seed),
        *_by_gateway(webhooks, seed),
        _dispatch(seen, seed),
        *_dashboard(seen.samples, seed),
    ]
    book = seen.ledger
    return (
        *(_believed(one, lag_ms) for one in latencies),
        slo.proportion(
            slo.SUCCESS_RATE,
            good=book.delivered,
            total=book.conversions,
            target=SUCCESS_PERCENT,
            of="conversions counted by Meta / conversions accepted",
        ),
        slo.ceiling(slo.DLQ_DEPTH, seen.dlq_depths, target=DLQ_MESSAGES, unit="messages"),
        slo.availability(
            requests=len(seen.samples), failures=sum(not one.accepted for one in seen.samples), target=99.9
        ),
        _match_rate(seen),
    )


def _match_rate(seen: Seen) -> SloResult:
    if seen.matched is None:
        shown = slo.match_rate(matched=0, conversions=0)
        return replace(shown, note="the target file gives no probes.matched; only real traffic can meet this target")
    return slo.match_rate(matched=min(seen.matched, seen.ledger.conversions), conversions=seen.ledger.conversions)


def _dashboard(samples: Iterable[Sample], seed: int) -> list[SloResult]:
    """Where somebody read it: from the moment the page was asked for until it was there, whole."""
    took_ms = [one.corrected_ms if one.accepted else math.inf for one in samples if one.gateway == READER]
    return [slo.p95(slo.DASHBOARD_P95, took_ms, target=DASHBOARD_MS, seed=seed)] if took_ms else []


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that this share does not exceed (nearest rank, nothing interpolated); None without values."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _by_gateway(samples: Sequence[Sample], seed: int) -> list[SloResult]:
    return [
        slo.p95(
            slo.of_gateway(slo.WEBHOOK_P95, gateway),
            [one.corrected_ms for one in samples if one.gateway == gateway],
            target=WEBHOOK_MS,
            seed=seed,
        )
        for gateway in sorted({one.gateway for one in samples})
    ]


def accepted_at_s(samples: Iterable[Sample]) -> dict[str, float]:
    """By sale: when the target first took responsibility for it."""
    found: dict[str, float] = {}
    for one in samples:
        if one.is_webhook and one.accepted:
            found[one.sale] = min(one.answered_s, found.get(one.sale, math.inf))
    return found


def _dispatch(seen: Seen, seed: int) -> SloResult:
    """From the first acceptance of a sale until Meta had answered for it; infinite where it never did."""
    accepted = {sale: at_s for sale, at_s in accepted_at_s(seen.samples).items() if sale not in seen.settled}
    from_s, until_s = seen.excluded or (math.inf, -math.inf)
    judged = {sale: at_s for sale, at_s in accepted.items() if not from_s <= at_s <= until_s}
    took_s = [max(0.0, seen.counted_at_s.get(sale, math.inf) - at_s) for sale, at_s in judged.items()]
    found = slo.p95(slo.DISPATCH_P95, took_s, target=DISPATCH_S, unit="s", seed=seed)
    if seen.excluded is None:
        return found
    why = (
        f"of what was accepted outside of the outage and its drain ({from_s:.1f} to {until_s:.1f} s): "
        f"{len(judged):,} of {len(accepted):,}"
    )
    return replace(found, note="; ".join(filter(None, (why, found.note))))


def uncorrected_ms(samples: Sequence[Sample]) -> list[float]:
    """What a tool that waits for its answers would have written down, of the same run.

    It has so many users that they suffice at the median, each with one request open at a time. What is due while all
    of them wait is not sent, so nobody measures it (coordinated omission). Latencies count from the sending.
    """
    answered = [one.uncorrected_ms for one in samples if one.status is not None]
    if not answered:
        return []
    lasts_s = max(samples[-1].due_s - samples[0].due_s, 0.001)
    users = math.ceil(len(samples) / lasts_s * (percentile(answered, 0.5) or 0.0) / 1000) or 1
    free_at_s = [-math.inf] * users
    measured: list[float] = []
    for one in samples:
        if free_at_s[0] <= one.sent_s:
            heapq.heapreplace(free_at_s, one.answered_s)
            if one.status is not None:
                measured.append(one.uncorrected_ms)
    return measured


def _believed(one: SloResult, lag_ms: float | None) -> SloResult:
    """The result, or the same undecided where the generator was too late to be believed."""
    if lag_ms is not None and lag_ms <= LAG_MS:
        return one
    why = f"the generator was late itself ({lag_ms or 0:.1f} ms at p99, {LAG_MS:.0f} allowed)"
    return replace(one, met=None, note="; ".join(filter(None, (why, one.note))))
