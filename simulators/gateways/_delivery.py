"""How vendors deliver: retry schedules as data, and plans of when each webhook goes out. Pure: time is passed in.

A schedule holds what is known of a vendor, with the mark of facts/gateways.md: DOC the vendor says so, CODE seen in
public code or captures, `?` unpublished: then the figure is ours, of a plausible size, and nobody should rely on it.
A plan says at which second which webhook goes out; the same arguments give the same plan in every process.

Does not imitate: manual re-sending from a vendor's panel, Stripe's two Event objects for one change, jitter.
(The name has an underscore because every other file of this folder is a gateway.)
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Mark = Literal["DOC", "CODE", "?"]

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement of a schedule: how sure it is, and where it comes from."""

    mark: Mark
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a vendor does when a webhook is not answered by 2xx in time."""

    delays_s: tuple[float, ...]
    """From each failed attempt to the next one, in seconds; one attempt more than delays. Then the vendor gives up."""
    timeout_s: float
    """How long one attempt waits for its answer, in seconds; never compressed."""
    signs_each_attempt: bool
    """True: body and ids stay, time and signature are new. False: every attempt has the very same bytes."""
    off_after_failures: int | None = None
    """Attempts failed in a row, over all deliveries, after which the vendor switches the configuration off."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """By field name."""

    @property
    def attempts(self) -> int:
        """How often one webhook is sent at most."""
        return len(self.delays_s) + 1

    @property
    def gives_up_after_s(self) -> float:
        """From the first attempt to the last one, in seconds, were every answer immediate."""
        return sum(self.delays_s)

    def delay_s(self, failed_attempts: int) -> float | None:
        """Seconds to wait after that many failed attempts (1, 2 …), or None: the vendor has given up."""
        return self.delays_s[failed_attempts - 1] if failed_attempts <= len(self.delays_s) else None

    def compressed(self, factor: float) -> Schedule:
        """The same with every delay `factor` times shorter; 3600 makes a second of an hour.

        Raises:
            ValueError: the factor is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"Time is compressed by a factor above 0, not by {factor:g}.")
        return replace(self, delays_s=tuple(delay / factor for delay in self.delays_s))


_UNPUBLISHED = Fact(mark="?", source="unpublished; our own figure")

#: By gateway. Sources: facts/gateways.md 1.8, 2.5, 3.6, 4.8.
SCHEDULES: Mapping[str, Schedule] = {
    "hotmart": Schedule(
        delays_s=(_MINUTE_S, 5 * _MINUTE_S, 15 * _MINUTE_S, _HOUR_S),
        timeout_s=10.0,
        signs_each_attempt=False,
        off_after_failures=10,
        facts={
            "delays_s": Fact(mark="?", source="1.8: up to 5 by a developer's comment (H8); the delays are ours"),
            "timeout_s": Fact(mark="?", source="1.8: that a late answer is a 408 is documented (H3), the limit is not"),
            "signs_each_attempt": Fact(mark="?", source="1.8: id and creation_date taken as constant; static token"),
            "off_after_failures": Fact(mark="?", source="1.8: switching off is documented (H4), its threshold is not"),
        },
    ),
    "kiwify": Schedule(
        delays_s=(_MINUTE_S, 5 * _MINUTE_S, 30 * _MINUTE_S, 2 * _HOUR_S),
        timeout_s=5.0,
        signs_each_attempt=False,
        facts={
            "delays_s": Fact(mark="?", source="2.5: that non-2xx is sent again is seen in code; the delays are ours"),
            "timeout_s": Fact(mark="?", source="2.5: about 5 s by one source (K3)"),
            "signs_each_attempt": Fact(mark="DOC", source="2.5: the signature is a function of body and token (K1)"),
            "off_after_failures": _UNPUBLISHED,
        },
    ),
    "perfectpay": Schedule(
        delays_s=(_MINUTE_S, 10 * _MINUTE_S, _HOUR_S),
        timeout_s=10.0,
        signs_each_attempt=False,
        facts={
            "delays_s": Fact(mark="?", source="3.6: nothing public, not even that it sends again"),
            "timeout_s": Fact(mark="?", source="3.6: nothing public"),
            "signs_each_attempt": Fact(mark="CODE", source="3.1: a static token in the body, no time"),
            "off_after_failures": _UNPUBLISHED,
        },
    ),
    "stripe": Schedule(
        # Doubled from 5 minutes on (42 h 35 min), and a last one at the end of the third day.
        delays_s=(*(5 * _MINUTE_S * 2**step for step in range(9)), 3 * _DAY_S - 5 * _MINUTE_S * (2**9 - 1)),
        timeout_s=10.0,
        signs_each_attempt=True,
        facts={
            "delays_s": Fact(
                mark="?", source="4.8: exponential over up to 3 days is documented (S1), its steps are not"
            ),
            "timeout_s": Fact(mark="?", source="4.8: unpublished; Checkout waits up to 10 s"),
            "signs_each_attempt": Fact(mark="DOC", source="4.2: t and signature anew for every attempt (S1)"),
            "off_after_failures": _UNPUBLISHED,
        },
    ),
}

#: For a gateway of which nothing is known, such as one that somebody has just added.
UNKNOWN = Schedule(
    delays_s=(_MINUTE_S, 10 * _MINUTE_S, _HOUR_S),
    timeout_s=10.0,
    signs_each_attempt=False,
    facts=dict.fromkeys(("delays_s", "timeout_s", "signs_each_attempt", "off_after_failures"), _UNPUBLISHED),
)


def schedule(gateway_name: str) -> Schedule:
    """That gateway's, else UNKNOWN."""
    return SCHEDULES.get(gateway_name, UNKNOWN)


@dataclass(slots=True)
class Configuration:
    """Whether the vendor still sends: Hotmart switches a configuration off that keeps failing."""

    off_after_failures: int | None
    failures_in_a_row: int = 0
    off: bool = False
    """Stays so: a person has to switch it on again."""

    def saw(self, *, accepted: bool) -> None:
        """An attempt has ended."""
        self.failures_in_a_row = 0 if accepted else self.failures_in_a_row + 1
        if self.off_after_failures is not None and self.failures_in_a_row >= self.off_after_failures:
            self.off = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One instant of a plan: which webhook goes out, and in how many copies."""

    at_s: float
    """Seconds since the plan began."""
    sale: int
    """From 0; the caller makes an order of it."""
    event: int
    """Which of the sale's events, from 0."""
    copies: int
    """2 and more: twins, sent in the same instant."""


def plan(
    sales: int,
    *,
    seed: int,
    events: int = 1,
    rate_per_s: float | None = None,
    burst: int = 1,
    gap_s: float = 0.0,
    shuffle: bool = False,
    copies: int = 1,
) -> tuple[Slot, ...]:
    """When each webhook goes out, earliest first.

    `rate_per_s` counts slots, not copies; without it all are due at once. `burst` of them share an instant, at the same
    mean rate. In a gap of `gap_s`, whose beginning the seed draws, nothing goes out, and what was due in it comes at
    its end, as after a vendor's outage. `shuffle` deals the webhooks to the instants in another order.

    Raises:
        ValueError: a number below what makes sense, or a burst or gap without a rate.
    """
    _check(sales=sales, events=events, burst=burst, copies=copies)
    if rate_per_s is not None and not rate_per_s > 0:
        raise ValueError(f"The rate must be above 0, not {rate_per_s:g}.")
    if rate_per_s is None and (burst > 1 or gap_s > 0):
        raise ValueError("A burst or a gap needs a rate: without one everything is due at once.")
    draw = random.Random(f"plan/{seed}")
    told = [(sale, event) for sale in range(sales) for event in range(events)]
    if shuffle:
        draw.shuffle(told)
    instants = _instants(len(told), rate_per_s, burst)
    if gap_s > 0:
        instants = _with_gap(instants, draw.random() * instants[-1], gap_s)
    return tuple(
        Slot(at_s=at_s, sale=sale, event=event, copies=copies)
        for at_s, (sale, event) in zip(instants, told, strict=True)
    )


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}: at least 1, not {number}.")


def _instants(count: int, rate_per_s: float | None, burst: int) -> list[float]:
    if rate_per_s is None:
        return [0.0] * count
    return [number // burst * burst / rate_per_s for number in range(count)]


def _with_gap(instants: Sequence[float], begins_s: float, gap_s: float) -> list[float]:
    ends_s = begins_s + gap_s
    return [ends_s if begins_s <= at_s < ends_s else at_s for at_s in instants]
