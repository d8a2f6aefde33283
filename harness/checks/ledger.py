"""The ledger: every delivery is accounted for, from the gateway's request to what Meta counted.

A pure function over three lists: what was sent and how it was answered, what Meta saw, and, where the target lets
us look, what its own database says. Meta's word counts: a conversion that the target calls delivered and
that Meta never counted is lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.records import Arrival, Conversion, Delivery, Ledger

#: What the ledger follows; page views and checkouts are no conversions.
PURCHASE = "Purchase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A ledger with the sentences that explain what is wrong with it."""

    ledger: Ledger
    findings: tuple[str, ...]
    """Empty where it closes."""


@dataclass(frozen=True, slots=True)
class _Sale:
    gateway: str
    sale: str
    keys: frozenset[str]


Identity = tuple[str, str]
"""Gateway, sale."""


def close(
    deliveries: Sequence[Delivery], arrivals: Sequence[Arrival], conversions: Sequence[Conversion] | None
) -> Closing:
    """Account for everything of one tenant.

    `conversions` is None where the target's database cannot be looked into: then only what Meta counted is
    known to be delivered, and everything else accepted is lost.
    """
    purchases = [one for one in deliveries if one.accepted and one.meaning == "purchase"]
    promised = _Sales(purchases).by_identity
    # An unanswered purchase may have been committed all the same: it explains an arrival, but promises none.
    unanswered = [one for one in deliveries if one.status is None and one.meaning == "purchase"]
    explained = _Sales([*unanswered, *purchases])
    counted = _counted(explained, arrivals)
    states = _states(conversions)
    tally: Counter[str] = Counter(doubled=sum(times > 1 for times in counted.values()))
    findings = [
        f"{_named(explained.by_identity[identity])} was counted {times} times by Meta"
        for identity, times in counted.items()
        if times > 1
    ]
    for identity, sale in promised.items():
        stored = states.get(identity, [])
        state = _state_of(counted[identity], stored, known=conversions is not None)
        tally[state] += 1
        if state in ("lost", "pending"):
            findings.append(_explain(sale, state, stored))
    findings += _unexplained(explained, arrivals)
    return Closing(ledger=_ledger(deliveries, len(purchases), len(promised), tally), findings=tuple(findings))


class _Sales:
    """The sales of one tenant, found by their own id or by their buyer without looking at all of them."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self.by_identity: dict[Identity, _Sale] = {}
        for one in deliveries:
            known = self.by_identity.get((one.gateway, one.sale))
            keys = frozenset(one.buyer_keys) | (known.keys if known else frozenset())
            self.by_identity[(one.gateway, one.sale)] = _Sale(one.gateway, one.sale, keys)
        self._by_id: defaultdict[str, list[Identity]] = defaultdict(list)
        self._by_key: defaultdict[str, list[Identity]] = defaultdict(list)
        for identity, sale in self.by_identity.items():
            self._by_id[sale.sale].append(identity)
            for key in sorted(sale.keys):
                self._by_key[key].append(identity)

    def explanation(self, arrival: Arrival, counted: Counter[Identity]) -> Identity | None:
        """Which sale Meta was told of: by the sale's own id, else by the buyer; of several, the least counted."""
        named = self._by_id.get(arrival.order_id) if arrival.order_id is not None else None
        candidates = named or [identity for key in arrival.keys for identity in self._by_key.get(key, ())]
        return min(candidates, key=lambda identity: counted[identity], default=None)


def _is_purchase(arrival: Arrival) -> bool:
    return arrival.counted and arrival.event_name == PURCHASE


def _counted(sales: _Sales, arrivals: Iterable[Arrival]) -> Counter[Identity]:
    counted: Counter[Identity] = Counter()
    for arrival in filter(_is_purchase, arrivals):
        identity = sales.explanation(arrival, counted)
        if identity is not None:
            counted[identity] += 1
    return counted


def _states(conversions: Sequence[Conversion] | None) -> dict[Identity, list[str]]:
    """What the target says of each sale, the least final first: where it has two rows, nothing is done too early."""
    found: dict[Identity, list[str]] = defaultdict(list)
    for one in conversions or ():
        found[(one.gateway, one.sale)].append(one.state)
    order = ("pending", "held", "dead_lettered", "expired", "suppressed", "delivered")
    return {identity: sorted(states, key=order.index) for identity, states in found.items()}


def _state_of(counted: int, stored: Sequence[str], *, known: bool) -> str:
    if counted:
        # Of two rows one was counted, and the other is still on its way there.
        return "pending" if len(stored) > 1 and stored[0] == "pending" else "delivered"
    if not known or not stored or stored[0] == "delivered":
        return "lost"
    return stored[0]


def _named(sale: _Sale) -> str:
    return f"sale {sale.sale} ({sale.gateway})"


def _explain(sale: _Sale, state: str, stored: Sequence[str]) -> str:
    if state == "pending":
        return f"{_named(sale)} was accepted and is still on its way"
    if stored and stored[0] == "delivered":
        return f"{_named(sale)} is called delivered by the target, but Meta never counted it"
    return f"{_named(sale)} was accepted and is nowhere: not at Meta, not in the target's tables"


def _unexplained(sales: _Sales, arrivals: Iterable[Arrival]) -> list[str]:
    return [
        f"Meta counted a Purchase (order {arrival.order_id}, event id {arrival.event_id}) "
        "that no accepted webhook explains"
        for arrival in filter(_is_purchase, arrivals)
        if sales.explanation(arrival, Counter()) is None
    ]


def _ledger(deliveries: Sequence[Delivery], purchases: int, sales: int, tally: Counter[str]) -> Ledger:
    accepted = sum(one.accepted for one in deliveries)
    unanswered = sum(one.status is None for one in deliveries)
    return Ledger(
        deliveries=len(deliveries),
        unanswered=unanswered,
        rejected=len(deliveries) - accepted - unanswered,
        accepted=accepted,
        duplicate=purchases - sales,
        ignored=accepted - purchases,
        delivered=tally["delivered"],
        dead_lettered=tally["dead_lettered"],
        expired=tally["expired"],
        suppressed=tally["suppressed"],
        held=tally["held"],
        pending=tally["pending"],
        lost=tally["lost"],
        doubled=tally["doubled"],
    )
