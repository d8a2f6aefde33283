"""What must come of each sale, whatever happens in between. Pure: facts in, the states that are allowed out.

A fact is something that the world has done and seen answered. Where two facts race (a refund while the purchase may be
in flight) more than one state is right, and the oracle says so; where they cannot (a refund while the relay is dead)
exactly one is. A sale that was seen in a final state must stay in it.

What holds sales back is a block: as long as one that began before the sale was accepted goes on, the sale cannot have
been sent, and what stops it then must stop it for certain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["counted", "suppressed", "expired", "dead_lettered", "held", "unsent", "absent", "lost"]
"""`unsent`: accepted, and on its way or waiting; `held`: waiting in the target's tables; `lost`: called delivered and
never counted by Meta."""

BlockKind = Literal["relay", "consumer", "ill", "token", "hold"]
Block = tuple[BlockKind, str]
"""What kind, and whose: a tenant's number, `tenant/gateway`, or nothing for everybody."""

_SENT: frozenset[State] = frozenset({"counted", "dead_lettered"})
FINAL: frozenset[State] = frozenset({"counted", "suppressed", "expired", "dead_lettered"})


@dataclass(slots=True, kw_only=True)
class Sale:
    """What is known of one sale."""

    tenant: int
    gateway: str
    old: bool = False
    """Paid more than seven days ago."""
    poisoned: bool = False
    """Meta refuses it for ever."""
    heard: Literal["no", "maybe", "yes"] = "no"
    """Whether the target has accepted a purchase; maybe: it did not answer."""
    stopped: Literal["no", "maybe", "yes"] = "no"
    """Whether money went back, or consent was taken back, before the target had heard of the purchase."""
    fate: frozenset[State] = frozenset()
    """In which states it may end."""
    blocks: frozenset[Block] = frozenset()
    """What has kept it from being sent, without a gap, since it was accepted."""
    settled: State | None = None
    """The final state in which it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What can be seen of a sale, the target's tables first and Meta's inbox after them."""

    stored: str | None
    """The target's word: pending, held, delivered, suppressed …; None: no row."""
    counted: int
    """How often Meta has counted it."""

    @property
    def state(self) -> State:
        """Both in one word. Meta's word counts."""
        if self.counted:
            return "counted"
        match self.stored:
            case None:
                return "absent"
            case "delivered":
                return "lost"
            case "suppressed" | "expired" | "dead_lettered" | "held":
                return self.stored
            case _:
                return "unsent"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`right`, `wait` (it may still become right) or `wrong`, and why in words."""

    verdict: Literal["right", "wait", "wrong"]
    why: str = ""


@dataclass(slots=True)
class Oracle:
    """Everything that is known of one story so far."""

    sales: dict[str, Sale] = field(default_factory=dict)
    blocks: set[Block] = field(default_factory=set)

    # -- facts -----------------------------------------------------------------------------------------------

    def introduce(self, name: str, sale: Sale) -> None:
        """There is such a sale; nobody has told the target of it."""
        self.sales[name] = sale

    def told(self, name: str, *, answered: bool) -> None:
        """A purchase was delivered; accepted with 202 if it was answered."""
        sale = self.sales[name]
        if sale.heard == "yes":
            return
        final: State = "expired" if sale.old else "dead_lettered" if sale.poisoned else "counted"
        now: set[State] = {"suppressed"} if sale.stopped == "yes" else {final}
        if sale.stopped == "maybe":
            now.add("suppressed")
        in_force = self._in_force(sale, at_acceptance=True)
        sale.blocks = in_force if sale.heard == "no" else sale.blocks & in_force
        sale.fate = frozenset(now) | (sale.fate - {"absent"}) | (frozenset() if answered else {"absent"})
        sale.heard = "yes" if answered else "maybe"

    def stopped(self, name: str, *, answered: bool) -> None:
        """All the money went back, or the buyer took their consent back."""
        sale = self.sales[name]
        if sale.heard == "no":
            sale.stopped = "yes" if answered or sale.stopped == "yes" else "maybe"
        elif sale.settled is None and sale.fate & _SENT:
            sure = answered and sale.heard == "yes" and bool(sale.blocks)
            sale.fate = (sale.fate - _SENT if sure else sale.fate) | {"suppressed"}
        if sale.heard == "maybe" and sale.stopped == "no":
            sale.stopped = "maybe"

    def block(self, kind: BlockKind, whose: str = "") -> None:
        """From now on nothing of that kind gets through; what was held back already stays held back."""
        self.blocks.add((kind, whose))
        for sale in self.sales.values():
            # A flag on hold concerns what comes in from then on, and nothing that has come before.
            if sale.blocks and kind != "hold" and _concerns((kind, whose), sale):
                sale.blocks |= {(kind, whose)}

    def unblock(self, kind: BlockKind, whose: str = "") -> None:
        """It gets through again."""
        self.blocks.discard((kind, whose))
        for sale in self.sales.values():
            sale.blocks -= {(kind, whose)}

    def settled(self, name: str, seen: Seen) -> None:
        """It was seen so at a barrier, and rightly; if that is an end, it is the end."""
        if seen.state in FINAL and seen.stored in (*FINAL, "delivered"):
            self.sales[name].settled = seen.state

    def is_blocked(self, tenant: int) -> bool:
        """Whether anything may keep a new sale of a tenant from being counted."""
        return any(_concerns(one, Sale(tenant=tenant, gateway="")) or one[0] == "hold" for one in self.blocks)

    def waits_for_meta(self, tenant: int) -> bool:
        """Whether some sale of a tenant is held back by an ill Meta alone."""
        ill: frozenset[Block] = frozenset({("ill", str(tenant))})
        return any(
            one.tenant == tenant
            and one.settled is None
            and one.blocks == ill == self._in_force(one)
            and one.fate & _SENT
            for one in self.sales.values()
        )

    # -- judgement -------------------------------------------------------------------------------------------

    def allowed(self, name: str) -> frozenset[State]:
        """In which states it may be once everything has come to rest."""
        sale = self.sales[name]
        if sale.heard == "no":
            return frozenset({"absent"})
        if sale.settled is not None:
            return frozenset({sale.settled})
        if not sale.fate & _SENT:
            return sale.fate
        if sale.blocks:
            return (sale.fate - _SENT) | {self._waiting(sale)}
        return sale.fate | ({"unsent"} if self._in_force(sale) else frozenset())

    def judge(self, name: str, seen: Seen) -> Judgement:
        """Whether what is seen of a sale is right, cannot be any more, or may yet become so."""
        allowed, state = self.allowed(name), seen.state
        if seen.counted > 1:
            return Judgement("wrong", f"counted {seen.counted} times by Meta")
        if state in allowed or (state == "held" and "unsent" in allowed):
            late = state == "counted" and not self._is_told(name, seen)
            return Judgement("wait", f"counted by Meta and called {seen.stored} by the target") if late else _RIGHT
        why = f"{_IN_WORDS[state]}; right is: {' or '.join(sorted(allowed))}"
        can_change = state in ("unsent", "held") and allowed != {"absent"}
        return Judgement("wait" if can_change else "wrong", why)

    def _is_told(self, name: str, seen: Seen) -> bool:
        """Whether the target's word for what Meta has counted is final, or cannot be yet."""
        sale = self.sales[name]
        stopped_too_late = seen.stored == "suppressed" and "suppressed" in sale.fate
        return seen.stored == "delivered" or stopped_too_late or bool(self._in_force(sale))

    def _waiting(self, sale: Sale) -> State:
        kinds = {kind for kind, _ in sale.blocks}
        return "held" if "hold" in kinds or kinds == {"token"} == self._kinds_in_force(sale) else "unsent"

    def _kinds_in_force(self, sale: Sale) -> set[str]:
        return {kind for kind, _ in self._in_force(sale)}

    def _in_force(self, sale: Sale, *, at_acceptance: bool = False) -> frozenset[Block]:
        return frozenset(one for one in self.blocks if _concerns(one, sale) and (at_acceptance or one[0] != "hold"))


_RIGHT = Judgement("right")
_IN_WORDS: dict[State, str] = {
    "counted": "counted by Meta",
    "suppressed": "suppressed",
    "expired": "expired",
    "dead_lettered": "dead-lettered",
    "held": "held",
    "unsent": "still on its way",
    "absent": "nowhere: not at Meta, not in the target's tables",
    "lost": "called delivered by the target, and never counted by Meta",
}


def _concerns(block: Block, sale: Sale) -> bool:
    return block[1] in ("", str(sale.tenant), f"{sale.tenant}/{sale.gateway}")
