"""From a tenant's numbers to what the dashboard's page says. Pure; the template only lays it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from reference_impl.analytics.numbers import STALE_AFTER_S, Counts, Numbers, Trouble
from reference_impl.web import charts

MATCH_TARGET, SUCCESS_TARGET = 70.0, 99.0
"""The plan's: match rate > 70 %, success rate > 99 %."""

_GATEWAYS = {"perfectpay": "PerfectPay", "hotmart": "Hotmart", "kiwify": "Kiwify", "stripe": "Stripe"}
_KINDS = {"purchase": "Purchases", "pageview": "Page views", "checkout": "Checkouts"}
#: What the dispatcher's reasons mean to whoever sells; others are shown as they are.
_REASONS = {
    "token": "the Meta token is not valid; we try again as soon as it is renewed",
    "access": "the Meta token may not write to this pixel",
    "breaker": "Meta answered with errors several times; we try again soon",
    "flag": "this gateway is set to hold",
    "released": "on its way again",
}
_STATES = {"held": "waiting to be sent", "dead_lettered": "not sent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number in large letters. `judged`: good, bad, or neither."""

    label: str
    value: str
    hint: str
    judged: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table: what it is of, and its counts."""

    name: str
    counts: Counts
    success: str
    match: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A conversion that somebody should look at."""

    at: str
    gateway: str
    sale: str
    state: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A rate over the days, with where it should be."""

    name: str
    label: str
    spread: str
    low: int
    line: charts.Line
    target: float
    target_y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The page."""

    empty: bool
    stale: bool
    as_of: str
    as_of_iso: str
    age: str
    age_s: int | None
    stale_after_s: int
    zone: str
    tiles: Sequence[Tile]
    top: int
    width: int
    days: Sequence[str]
    bars: Sequence[charts.Bar]
    bars_told: str
    curves: Sequence[Curve]
    daily: Sequence[Row]
    gateways: Sequence[Row]
    others: Sequence[Row]
    trouble: Sequence[Waiting]


def overview(numbers: Numbers) -> Overview:
    """Everything that the page says. Rates and charts are of purchases; other kinds are counted beside them."""
    purchases = [one for one in numbers.buckets if one.kind == "purchase"]
    by_day = [Counts.sum(one.counts for one in purchases if one.date == day) for day in numbers.days]
    names = [f"{day.day} {day:%b}" for day in numbers.days]
    days = list(zip(names, by_day, strict=True))
    whole, today = Counts.sum(by_day), by_day[-1]
    top = charts.nice_top(max(1, *(one.total for one in by_day)))
    zone = ZoneInfo(numbers.zone)
    return Overview(
        empty=not numbers.buckets and not numbers.trouble,
        stale=numbers.stale,
        as_of="" if numbers.refreshed_at is None else f"{numbers.refreshed_at.astimezone(zone):%d %b %Y, %H:%M:%S}",
        as_of_iso="" if numbers.refreshed_at is None else numbers.refreshed_at.isoformat(timespec="seconds"),
        age="" if numbers.age_s is None else ago(numbers.age_s),
        age_s=None if numbers.age_s is None else max(0, int(numbers.age_s)),
        stale_after_s=int(STALE_AFTER_S),
        zone=numbers.zone,
        tiles=_tiles(whole, today, len(numbers.days)),
        top=top,
        width=len(numbers.days),
        days=names,
        bars=charts.bars([(f"{name}: {_told(one)}", _pieces(one)) for name, one in days], top=top),
        bars_told=f"{_count(whole.total)} purchases in {len(names)} days, {names[0]} to {names[-1]}: {_told(whole)}. "
        f"The busiest day had {_count(max(one.total for one in by_day))}.",
        curves=[
            _curve(
                name="match", label="Match rate", target=MATCH_TARGET, days=days, rate=lambda one: one.match_percent
            ),
            _curve(
                name="success",
                label="Success rate",
                target=SUCCESS_TARGET,
                days=days,
                rate=lambda one: one.success_percent,
            ),
        ],
        daily=[_row(name, one) for name, one in reversed(days) if one.total],
        gateways=_grouped((_GATEWAYS.get(one.gateway, one.gateway), one.counts) for one in purchases),
        others=_grouped(
            (_KINDS.get(one.kind, one.kind), one.counts) for one in numbers.buckets if one.kind != "purchase"
        ),
        trouble=[_waiting(one, zone) for one in numbers.trouble],
    )


def ago(age_s: float) -> str:
    """An age in the words that the page's script uses, too."""
    seconds = max(0, int(age_s))
    if seconds < 120:
        return f"{seconds} s ago"
    if seconds < 7200:
        return f"{seconds // 60} min ago"
    return f"{seconds // 3600} h ago"


def _tiles(whole: Counts, today: Counts, days: int) -> list[Tile]:
    waiting = whole.pending + whole.held
    return [
        Tile(label="Purchases today", value=_count(today.total), hint=f"{_count(today.delivered)} sent to Meta"),
        Tile(
            label=f"Purchases, {days} days", value=_count(whole.total), hint=f"{_count(whole.delivered)} sent to Meta"
        ),
        Tile(
            label="Success rate",
            value=_percent(whole.success_percent),
            hint=f"of what could be sent; target over {SUCCESS_TARGET:g} %",
            judged=_judged(whole.success_percent, SUCCESS_TARGET),
        ),
        Tile(
            label="Match rate",
            value=_percent(whole.match_percent),
            hint=f"came from a known click; target over {MATCH_TARGET:g} %",
            judged=_judged(whole.match_percent, MATCH_TARGET),
        ),
        Tile(label="Waiting", value=_count(waiting), hint=f"{_count(whole.held)} of them held back"),
        Tile(
            label="Not sent",
            value=_count(whole.failed),
            hint="dead letters and expired",
            judged="bad" if whole.failed else "",
        ),
    ]


def _curve(
    *,
    name: str,
    label: str,
    target: float,
    days: Sequence[tuple[str, Counts]],
    rate: Callable[[Counts], float | None],
) -> Curve:
    rates = [rate(one) for _, one in days]
    known = [one for one in rates if one is not None]
    points = [(f"{day}: {_percent(one)}", one) for (day, _), one in zip(days, rates, strict=True)]
    low = charts.floor([*known, target])
    spread = f"between {_percent(min(known))} and {_percent(max(known))} a day" if known else "no data yet"
    return Curve(
        name=name,
        label=label,
        spread=spread,
        low=low,
        line=charts.line(points, low=low),
        target=target,
        target_y=charts.height_of(target, low=low),
    )


def _grouped(counted: Iterable[tuple[str, Counts]]) -> list[Row]:
    groups: dict[str, list[Counts]] = {}
    for name, counts in counted:
        groups.setdefault(name, []).append(counts)
    rows = [_row(name, Counts.sum(listed)) for name, listed in groups.items()]
    return sorted(rows, key=lambda one: (-one.counts.total, one.name))


def _row(name: str, counts: Counts) -> Row:
    return Row(name=name, counts=counts, success=_percent(counts.success_percent), match=_percent(counts.match_percent))


def _waiting(one: Trouble, zone: ZoneInfo) -> Waiting:
    why = _REASONS.get(one.reason or "", one.reason or "no reason given") + (
        f" (Meta's code {one.code})" if one.code is not None else ""
    )
    return Waiting(
        at=_moment(one.received_at, zone),
        gateway=_GATEWAYS.get(one.gateway, one.gateway),
        sale=one.sale_id,
        state=_STATES.get(one.state, one.state),
        why=why,
    )


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%d %b, %H:%M}"


def _pieces(one: Counts) -> list[tuple[str, int]]:
    return [
        ("sent", one.delivered),
        ("waiting", one.pending + one.held),
        ("failed", one.failed),
        ("kept", one.total - one.delivered - one.pending - one.held - one.failed),
    ]


def _told(one: Counts) -> str:
    if not one.total:
        return "no purchases"
    named = {"sent": "sent", "waiting": "waiting", "failed": "not sent", "kept": "kept back"}
    return ", ".join(f"{_count(count)} {named[kind]}" for kind, count in _pieces(one) if count)


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(value: float | None) -> str:
    """Rounded down: 99.97 % is not 100 %."""
    return "–" if value is None else f"{int(value * 10) / 10:.1f} %"


def _judged(value: float | None, target: float) -> str:
    return "" if value is None else "good" if value > target else "bad"
