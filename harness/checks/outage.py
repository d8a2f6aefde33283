"""Meta was gone for a while: did the breaker open and close again, and did what had waited reach Meta? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.checks.load import DISPATCH_S, Sample, Span, accepted_at_s

OPEN_WORDS = ("open", "half_open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What was done to Meta, and how the breaker was seen meanwhile; moments are seconds from the start of the run."""

    from_s: float
    until_s: float
    breaker: Sequence[tuple[float, Mapping[str, str]]] | None
    """Readings of the breaker's state by tenant, in order; None where nobody could look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageFindings:
    """What is to be said of it."""

    excluded: Span
    """What was accepted in it is no dispatch latency."""
    facts: tuple[str, ...]
    broken: tuple[str, ...]
    unknown: tuple[str, ...]
    """What had to be seen and could not be."""


def judge(outage: Outage, samples: Sequence[Sample], counted_at_s: Mapping[str, float], *, held: int) -> OutageFindings:
    """Judge one outage. `held` is how many conversions the target still holds back after the end of everything."""
    drained_s = _drained_at_s(outage, samples, counted_at_s)
    drain_s = drained_s - outage.until_s
    lasted_s = outage.until_s - outage.from_s
    facts = [f"Meta was gone from {outage.from_s:.1f} to {outage.until_s:.1f} s."]
    broken, unknown = [], []
    waited = _waited(outage, samples, counted_at_s)
    if not waited:
        unknown.append("Nothing had to wait while Meta was gone, so nothing is known of a backlog.")
    else:
        facts.append(
            f"{waited:,} sales had to wait; the last of them was counted {max(drain_s, 0.0):.1f} s after Meta was back."
        )
    if drain_s > lasted_s:
        broken.append(
            f"The backlog drains within the time that the outage took. It took {drain_s:.1f} s "
            f"after an outage of {lasted_s:.1f} s."
        )
    if held:
        broken.append(f"What waited for Meta is sent once it is back. {held:,} conversions are still held back.")
    _judge_breaker(outage, facts, broken, unknown)
    return OutageFindings(
        excluded=(outage.from_s - DISPATCH_S, max(drained_s, outage.until_s)),
        facts=tuple(facts),
        broken=tuple(broken),
        unknown=tuple(unknown),
    )


def _drained_at_s(outage: Outage, samples: Sequence[Sample], counted_at_s: Mapping[str, float]) -> float:
    """When the last sale accepted during the outage was counted; one that never was is the ledger's to name."""
    accepted = accepted_at_s(samples)
    waited = [sale for sale, at_s in accepted.items() if outage.from_s <= at_s <= outage.until_s]
    return max((counted_at_s[sale] for sale in waited if sale in counted_at_s), default=outage.until_s)


def _waited(outage: Outage, samples: Sequence[Sample], counted_at_s: Mapping[str, float]) -> int:
    """Sales accepted while Meta was gone and counted after it was back."""
    accepted = accepted_at_s(samples)
    return sum(
        outage.from_s <= at_s <= outage.until_s < counted_at_s.get(sale, float("inf"))
        for sale, at_s in accepted.items()
    )


def _judge_breaker(outage: Outage, facts: list[str], broken: list[str], unknown: list[str]) -> None:
    if not outage.breaker:
        unknown.append("The target file gives no probes.breaker, so nobody saw whether it opened and closed again.")
        return
    tenants = sorted({tenant for _, states in outage.breaker for tenant in states})
    opened: dict[str, float] = {}
    closed: dict[str, float] = {}
    for at_s, states in outage.breaker:
        for tenant, state in states.items():
            if state in OPEN_WORDS and outage.from_s <= at_s <= outage.until_s:
                opened.setdefault(tenant, at_s)
            if state == "closed" and at_s > outage.until_s:
                closed.setdefault(tenant, at_s)
    last = outage.breaker[-1][1]
    never = [one for one in tenants if one not in opened]
    stayed = [one for one in tenants if one in opened and last.get(one) != "closed"]
    if not tenants or never:
        broken.append(
            f"The breaker opens while Meta is gone. It did not for {len(never) or 'any'} of {len(tenants)} customers."
        )
    if stayed:
        broken.append(
            f"The breaker closes once Meta is back. It did not for {len(stayed)} of {len(tenants)} customers."
        )
    if opened:
        facts.append(
            f"The breaker opened for {len(opened)} of {len(tenants)} customers, "
            f"the last {max(opened.values()) - outage.from_s:.0f} s after Meta had gone (looked at once a second)."
        )
    if closed and not stayed:
        facts.append(f"It was closed for all {max(closed.values()) - outage.until_s:.0f} s after Meta was back.")
