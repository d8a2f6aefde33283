"""Stories told to a pipeline in memory: a right one keeps every promise, and each wrong one is found out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import PromiseBroken
from harness.model import world as worlds
from harness.model.explore import Explorer, Options
from harness.model.steps import KINDS, Step
from harness.model.world import TENANTS, World
from tests.rows import each_row

PURCHASE = SimpleNamespace(outcome="purchase", partial=False)
EVENTS = {
    "approved": PURCHASE,
    "approved_twin": PURCHASE,
    "complete": PURCHASE,
    "refunded": SimpleNamespace(outcome="reversal", partial=False),
    "partly_refunded": SimpleNamespace(outcome="reversal", partial=True),
}
#: Of the fake's faults, those after which an event has been counted although its sender never knew.
WORK_DONE = ("lose_reply", "cut_body", "hang_after_work", "truncated_json", "fewer_received", "slow_body")


@dataclass
class Row:
    """A sale as the toy has stored it."""

    tenant: int
    gateway: str
    sale: str
    click: Any
    held: bool = False
    end: str = ""
    events: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Order:
    """What a buyer has ordered of one tenant, by one gateway."""

    toy: Toy
    gateway: Any
    order: int
    click: Any
    old: bool

    @property
    def sale_id(self) -> str:
        return f"sale-{self.order}"

    def deliver(self, event: str) -> Any:
        return SimpleNamespace(status=self.toy.hear(self, event))

    def deliver_at_once(self, count: int, event: str) -> list[Any]:
        return [self.deliver(event) for _ in range(count)]

    def at(self, gateway: Any) -> Order:
        return Order(self.toy, gateway, self.order, None, self.old)


class Toy:
    """A pipeline that does everything at once, and right, but for what is named `wrong`."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong, self.orders, self.rows = wrong, list[Order](), dict[tuple[int, str, str], Row]()
        self.refunded, self.denied = set[tuple[int, str, str]](), set[str]()
        self.dead, self.dead_tokens, self.held = set[str](), set[int](), set[tuple[int, str]]()
        self.arms: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.failing, self.tries = set[int](), list[Row]()
        self.done: list[str] = []
        self.tenants = [SimpleNamespace(tenant=f"t{one}", pixel_id=str(one), number=one) for one in range(TENANTS)]
        target = SimpleNamespace(
            gateways=("stripe", "hotmart"),
            start=dict.fromkeys(("web", "relay", "consumer"), ()),
            paths=SimpleNamespace(click="/click", consent="/consent"),
            actions=("set_meta_token", "set_flag"),
            probes=SimpleNamespace(breaker="a query"),
        )
        control = SimpleNamespace(call=lambda *_, **__: None)
        self.info = SimpleNamespace(target=target, meta_url="", control=control)
        self.timings = SimpleNamespace(dispatch_s=0.05, redelivery_s=0.0)
        self.meta = SimpleNamespace(wait_for_change=lambda within_s: None)
        self.database = SimpleNamespace(conversions=self._conversions)
        self.target = SimpleNamespace(
            act=self._act, kill=self._kill, start=self.dead.discard, restore=lambda: self._note("restored")
        )

    # -- what the world asks of a pipeline ----------------------------------------------------------------------

    def gateway(self, name: str, *, tenant: Any) -> Any:
        made = SimpleNamespace(name=name, tenant=tenant, events=lambda: EVENTS)
        made.order = lambda click, paid_ago_s: self._order(made, click, old=paid_ago_s > 0)
        return made

    def _order(self, gateway: Any, click: Any, *, old: bool) -> Order:
        self.orders.append(Order(self, gateway, len(self.orders), click, old))
        return self.orders[-1]

    def click(self, *, tenant: Any) -> Any:
        return SimpleNamespace(click_id=f"{tenant.tenant}-{len(self.orders)}")

    def track(self, _what: str, told: dict[str, str], *, tenant: Any) -> Any:
        if "web" in self.dead:
            return SimpleNamespace(status=None)
        if self.wrong == "refuses withdrawals":
            return SimpleNamespace(status=500)
        if self.wrong != "forgets withdrawals":
            self.denied.add(told["click_id"])
            for row in self.rows.values():
                if row.click is not None and row.click.click_id in self.denied:
                    row.end = row.end or "suppressed"
        return SimpleNamespace(status=202)

    def meta_of(self, tenant: Any) -> Any:
        number, arms = tenant.number, self.arms[tenant.number]
        return SimpleNamespace(
            arm=lambda name, strikes, **how: arms.append({"name": name, "strikes": strikes, **how}),
            disarm=arms.clear,
            expire_token=lambda: self.dead_tokens.add(number),
            renew_token=lambda: self.dead_tokens.discard(number),
            events_about=lambda order, _=None: self._row_of(order).events if self._row_of(order) else [],
            probe=SimpleNamespace(calls=lambda: self.tries),
            wait_for_calls=lambda _count, within_s: self.pump(most=1),
        )

    def breaker(self, *, tenant: Any) -> str:
        self.pump()
        if self.wrong == "its breaker never opens":
            return "closed"
        return "open" if tenant.number in self.failing else "closed"

    def let_database_go(self) -> None:
        self._note("database let go")

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: str) -> None:
        self.done.append(what)

    # -- what it does -------------------------------------------------------------------------------------------

    def _key(self, order: Order) -> tuple[int, str, str]:
        return (order.gateway.tenant.number, order.gateway.name, order.sale_id)

    def _row_of(self, order: Order) -> Any:
        return self.rows.get(self._key(order))

    def hear(self, order: Order, event: str) -> int | None:
        """A webhook."""
        if "web" in self.dead or self.wrong == "hangs up":
            return None
        if self.wrong == "answers 500":
            return 500
        key, spec = self._key(order), EVENTS[event]
        row = self.rows.get(key)
        if spec.outcome == "reversal":
            if self.wrong != "forgets refunds" and (not spec.partial or self.wrong == "takes a part for the whole"):
                self.refunded.add(key)
                if row is not None:
                    row.end = row.end or "suppressed"
        elif row is None and self.wrong != "forgets sales":
            self.rows[key] = row = Row(*key, order.click, held=key[:2] in self.held)
            denied = order.click is not None and order.click.click_id in self.denied
            row.end = "expired" if order.old else "suppressed" if key in self.refunded or denied else ""
            if self.wrong == "sends what is old" and order.old:
                row.end = ""
        return 202

    def pump(self, *, most: int = 10**6) -> None:
        """Whatever can be sent is sent."""
        for row in self.rows.values():
            tries = 0
            while not row.end and self._gets_through(row) and tries < 10 and most > 0:
                tries, most = tries + 1, most - 1
                self._send(row, tries)

    def _gets_through(self, row: Row) -> bool:
        deaf = self.wrong == "is never done" or (
            self.wrong == "is ill with its neighbour" and self.failing - {row.tenant}
        )
        stuck = self.dead & {"relay", "consumer"} or row.tenant in self.dead_tokens or row.held
        return not deaf and not stuck

    def _send(self, row: Row, number: int) -> None:
        self.tries.append(row)
        event_id = f"{row.tenant}/{row.gateway}/{row.sale}"
        if self.wrong == "has an id for each try":
            event_id += str(len(row.events))
        elif self.wrong == "has one id for all":
            event_id = "id"
        verdict, known = self._verdict(row)
        if self.wrong == "counts nothing":
            verdict, known = "failed", True
        row.events.append({"event_id": event_id, "verdict": verdict})
        if self.wrong == "counts twice" and verdict == "counted":
            row.events.append({"event_id": event_id, "verdict": verdict})
        if verdict == "refused":
            row.end = "dead_lettered"
        elif verdict == "failed" and not known:
            self.failing.add(row.tenant)
            if self.wrong == "gives up":
                row.end = "dead_lettered"
        elif known:
            row.end = "" if self.wrong == "never says so" else "delivered"
            if self.wrong != "its breaker never closes":
                self.failing.discard(row.tenant)

    def _verdict(self, row: Row) -> tuple[str, bool]:
        """What Meta makes of it, and whether the sender knows."""
        counted = any(one["verdict"] == "counted" for one in row.events)
        for arm in self.arms[row.tenant]:
            if arm["name"] == "one_event_refused":
                if arm["order_id"] == row.sale:
                    return "refused", True
            elif arm["strikes"] is None or arm["strikes"] > 0:
                if arm["strikes"] is not None:
                    arm["strikes"] -= 1
                worked = arm["name"] in WORK_DONE and not counted
                return ("counted" if worked else "failed"), False
        return ("duplicate" if counted else "counted"), True

    def _conversions(self, *, tenant: Any) -> list[Any]:
        self.pump()
        rows = [one for one in self.rows.values() if one.tenant == tenant.number]
        return [
            SimpleNamespace(gateway=one.gateway, sale=one.sale, state=one.end or self._waits(one))
            for one in rows * (2 if self.wrong == "stores twice" else 1)
        ]

    def _waits(self, row: Row) -> str:
        return "held" if row.held or row.tenant in self.dead_tokens else "pending"

    def _act(self, _what: str, *, tenant: str, gateway: str, flag: str) -> None:
        key = (int(tenant[1:]), gateway)
        if flag == "hold":
            self.held.add(key)
            return
        self.held.discard(key)
        for row in self.rows.values():
            if (row.tenant, row.gateway) == key and self.wrong != "never lets go":
                row.held = False

    def _kill(self, role: str) -> None:
        self.dead.add(role)
        if self.wrong == f"loses all with its {role}":
            for key in [key for key, row in self.rows.items() if not row.end]:
                del self.rows[key]


@pytest.fixture(autouse=True)
def _calls_are_the_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "MetaProbe", lambda _url, _pixel: SimpleNamespace(calls=list))


def sell(sale: str = "s1", tenant: int = 0, event: str = "approved", *, old: bool = False, click: bool = False) -> Step:
    told = {"sale": sale, "gateway": "stripe", "tenant": tenant, "event": event, "old": old, "click": click}
    return Step("sell", told)


def tell(event: str, how: str = "once", sale: str = "s1") -> Step:
    return Step("tell", {"sale": sale, "event": event, "how": how})


def ill(tenant: int = 0) -> Step:
    return Step("ill", {"tenant": tenant, "fault": "brown_out"})


def kill(role: str) -> Step:
    return Step("kill", {"role": role})


def start(role: str) -> Step:
    return Step("start", {"role": role})


SETTLE = Step("settle")
WELL = Step("well", {"tenant": 0})
FAULT = Step("fault", {"tenant": 0, "fault": "brown_out", "strikes": 2})
HOLD, RELEASE = (Step(do, {"tenant": 0, "gateway": "stripe"}) for do in ("hold", "release"))
DIES = Step("die_in_call", {"sale": "s9", "tenant": 0, "counted": False})
DIES_AT_THE_DOOR = Step("die_after_answer", {"sale": "s9", "gateway": "stripe", "tenant": 0})

#: What a wrong target does, a story in which it shows, and what is said of it.
WRONG: dict[str, tuple[list[Step], str]] = {
    "answers 500": ([sell()], "a genuine webhook (approved, s1) was answered with 500"),
    "hangs up": ([sell()], "a genuine webhook (approved, s1) was answered with None"),
    "forgets sales": ([sell(), SETTLE], "s1 (stripe, tenant 0) is nowhere"),
    "is never done": ([kill("relay"), sell()], "not at rest within 0.05 s: s1 (stripe, tenant 0) is still on its way"),
    "counts twice": ([sell(), SETTLE], "counted 2 times by Meta"),
    "counts nothing": ([sell(), SETTLE], "called delivered by the target, and never counted by Meta"),
    "never says so": (
        [sell(), SETTLE],
        "not at rest within 0.05 s: s1 (stripe, tenant 0) is counted by Meta and called pending by the target",
    ),
    "stores twice": ([sell(), SETTLE], "s1 is stored 2 times"),
    "has an id for each try": ([FAULT, sell(), SETTLE], "under 3 event ids; one sale has one"),
    "has one id for all": ([sell(), sell("s2", 1), SETTLE], "s2 and s1 were told to Meta under the same event id"),
    "gives up": ([FAULT, sell(), SETTLE], "dead-lettered; right is: counted"),
    "forgets refunds": ([kill("relay"), sell(), tell("refunded"), start("relay")], "right is: suppressed"),
    "takes a part for the whole": ([sell(event="approved"), tell("partly_refunded"), SETTLE], "suppressed"),
    "sends what is old": ([sell(old=True), SETTLE], "counted by Meta; right is: expired"),
    "refuses withdrawals": (
        [sell(click=True), Step("withdraw", {"sale": "s1"})],
        "a withdrawal of consent was answered with 500",
    ),
    "forgets withdrawals": (
        [kill("relay"), sell(click=True), Step("withdraw", {"sale": "s1"}), start("relay"), SETTLE],
        "counted by Meta; right is: suppressed",
    ),
    "never lets go": ([HOLD, sell(), RELEASE, SETTLE], "not at rest within 0.05 s: s1 (stripe, tenant 0) is held"),
    "loses all with its web": ([DIES_AT_THE_DOOR, SETTLE], "s9 (stripe, tenant 0) is nowhere"),
    "loses all with its consumer": ([DIES, SETTLE], "s9 (stripe, tenant 0) is nowhere"),
    "is ill with its neighbour": (
        [ill(1), sell("s1", 1), SETTLE, sell("s2"), SETTLE],
        "not at rest within 0.05 s: s2 (stripe, tenant 0) is still",
    ),
    "its breaker never opens": ([ill(), sell(), SETTLE], "the breaker of tenant 0 open"),
    "its breaker never closes": ([ill(), sell(), SETTLE, WELL, SETTLE], "the breaker of tenant 0 closed"),
}


@each_row("wrong", WRONG)
def test_a_wrong_target_is_found_out(wrong: str) -> None:
    steps, told = WRONG[wrong]
    toy = Toy(wrong)
    with pytest.raises(PromiseBroken) as broken:
        worlds.tell(toy, steps)  # type: ignore[arg-type]
    assert told in str(broken.value)
    assert ("not at rest" in str(broken.value)) == ("not at rest" in told), "what can never be right is said at once"
    assert toy.done[-2:] == ["restored", "closed"], "others share its processes"


@each_row("wrong", WRONG)
def test_the_same_story_is_true_of_a_right_target(wrong: str) -> None:
    toy = Toy()
    worlds.tell(toy, WRONG[wrong][0])  # type: ignore[arg-type]
    assert toy.done[-2:] == ["restored", "closed"]
    assert not toy.dead | toy.dead_tokens | toy.held, "all is healed at the end"


class ToyExplorer(Explorer):
    """Draws its stories for toys."""

    def __init__(self, wrong: str = "") -> None:
        super().__init__(SimpleNamespace(scenario="M"))  # type: ignore[arg-type]
        self.wrong = wrong
        self.seen: set[str] = set()

    def _next_pipeline(self) -> Any:
        return Toy(self.wrong)

    def _adopt(self, pipeline: Any, *, ledger: bool) -> None:
        self.sales += len(pipeline.orders)

    def _act(self, world: World | None, step: Step) -> None:
        self.seen.add(step.do)
        super()._act(world, step)


def test_stories_that_are_drawn_are_true_of_a_right_target() -> None:
    explorer = ToyExplorer()
    found = explorer.explore(Options(examples=80, steps=12, seed=3))
    assert found is None, found
    assert explorer.seen == set(KINDS) - {"jump"}
    assert explorer.sales > 100


@each_row("wrong", ["forgets refunds", "has an id for each try", "loses all with its consumer"])
def test_a_wrong_target_is_found_by_drawing_and_its_story_is_short(wrong: str) -> None:
    explorer = ToyExplorer(wrong)
    found = explorer.explore(Options(examples=150, steps=12, seed=3, shrink_s=20))
    assert found is not None
    assert len(found.story.steps) <= 4
    with pytest.raises(PromiseBroken):
        worlds.tell(Toy(wrong), found.story.steps)  # type: ignore[arg-type]
    worlds.tell(Toy(), found.story.steps)  # type: ignore[arg-type]


def told_to(toy: Toy, steps: Sequence[Step]) -> World:
    world = World(toy)  # type: ignore[arg-type]
    for step in steps:
        world.do(step)
    return world


@each_row(
    ("before", "fact"),
    [
        ([ill()], lambda toy: toy.arms[0] == []),
        ([kill("relay"), kill("web")], lambda toy: toy.dead == set()),
        ([HOLD], lambda toy: toy.held == set()),
        ([Step("token_dies", {"tenant": 1})], lambda toy: toy.dead_tokens == set()),
    ],
)
def test_everything_is_healed_before_the_last_barrier(before: list[Step], fact: Callable[[Toy], bool]) -> None:
    toy = Toy()
    world = told_to(toy, before)
    assert not fact(toy)
    world.heal()
    assert fact(toy)
    assert world.oracle.blocks == set()


def test_what_was_ill_has_a_witness_that_meta_is_well() -> None:
    """Without a sale of the story's own the breaker would stay as it was, and nobody would look."""
    toy = Toy()
    world = told_to(toy, [FAULT, SETTLE])
    assert [name for name in world.oracle.sales if name.startswith("witness-")] == ["witness-1"]
    assert world.oracle.sales["witness-1"].settled == "counted"
