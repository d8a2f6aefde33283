"""The running target under a story: does each step, tells the oracle what was answered, and compares at barriers.

Every story has two tenants of its own, so that stories do not disturb each other; the processes are shared, and whole
again when a story ends.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import HarnessError, PromiseBroken
from harness.model.oracle import Judgement, Oracle, Sale, Seen
from harness.model.steps import Step
from harness.probes.meta import MetaProbe
from harness.tenants import Tenant, make_tenant
from harness.testing import Click, Pipeline, PlacedOrder, StackInfo, wait_until
from simulators.meta.faults import FAULTS

TENANTS = 2
OLD_S = 8 * 86_400
"""Meta refuses what is older than seven days."""

#: Faults that pass by themselves and after which the same event is to be sent again, with parameters that keep them
#: short. What a target must do about each is the same: send again, under the same event id.
PASSING: Mapping[str, Mapping[str, Any]] = {
    "brown_out": {},
    "throttle": {"regain_minutes": 0},
    "refusal": {"error": "service_down"},
    "html_502": {},
    "html_429": {},
    "lose_reply": {},
    "reset": {},
    "truncated_json": {},
    "cut_body": {},
    "fewer_received": {},
    "hang": {"hang_s": 30.0},
    "hang_after_work": {"hang_s": 30.0},
    "slow_body": {"over_s": 8.0},
}
#: Those that cost a target its whole time limit; drawn with one strike only.
SLOW = ("hang", "hang_after_work", "slow_body")
#: Those that count nothing and stay until disarmed: what is accepted meanwhile cannot have been counted.
LASTING = ("brown_out", "html_502", "reset", "throttle")
#: Of those, the ones that must open the breaker.
TRIPPING = ("brown_out", "html_502", "reset")
#: Faults of the fake's registry that are other steps: a dead token, and an event that is refused for ever.
ELSEWHERE = ("expired_token", "one_event_refused")

#: Processes by whose death everything stops that is not yet sent.
CARRIERS = ("relay", "consumer")

#: How a vendor tells the same sale a second time in other words.
RETOLD = {"stripe": "approved_twin", "hotmart": "complete", "perfectpay": "completed"}
#: Where a payment's own time is in the webhook, so that an old one is known to be old.
TELLS_TIME = ("hotmart", "perfectpay", "stripe")
#: Whose webhook carries our click id.
CARRIES_CLICK = ("stripe", "hotmart")


def tenants_for(info: StackInfo, key: str) -> list[Tenant]:
    """The tenants of one story: a function of the seed and the story's key."""
    return [
        make_tenant(info.seed, f"{key}/{number}", dialect="vendor", supported=info.target.gateways)
        for number in range(TENANTS)
    ]


@dataclass(slots=True)
class _Telling:
    """A sale of the story, and the order behind it."""

    order: PlacedOrder
    click: Click | None = None


@dataclass(slots=True)
class World:
    """One story, being told to the running target."""

    pipeline: Pipeline
    oracle: Oracle = field(default_factory=Oracle)
    steps: list[Step] = field(default_factory=list)
    """What was done so far."""
    _sales: dict[str, _Telling] = field(default_factory=dict)
    _dead: set[str] = field(default_factory=set)
    _sick: dict[int, str] = field(default_factory=dict)
    _held: set[tuple[int, str]] = field(default_factory=set)
    _dead_tokens: set[int] = field(default_factory=set)
    _was_ill: set[int] = field(default_factory=set)
    _killed_since_barrier: bool = False

    @property
    def web(self) -> str:
        """The role that answers webhooks."""
        return next(iter(self.pipeline.info.target.start), "web")

    def do(self, step: Step) -> None:
        """Do one step. What it needs and is not there makes it nothing.

        Raises:
            PromiseBroken: the target did what no right target does.
        """
        self.steps.append(step)
        work: Callable[[Step], None] = getattr(self, f"_{step.do}")
        work(step)

    # -- sales -----------------------------------------------------------------------------------------------

    def _sell(self, step: Step) -> None:
        name, gateway, tenant = step.text("sale"), step.text("gateway"), step.number("tenant")
        if not self._introduce(name, gateway, tenant, old=bool(step.args["old"]), click=bool(step.args["click"])):
            return
        self._tell_event(name, step.text("event"))

    def _introduce(self, name: str, gateway: str, tenant: int, *, old: bool = False, click: bool = False) -> bool:
        if name in self._sales or gateway not in self.pipeline.info.target.gateways:
            return False
        owner, old = self.pipeline.tenants[tenant], old and gateway in TELLS_TIME
        clicked = None
        paths = self.pipeline.info.target.paths
        can_click = gateway in CARRIES_CLICK and paths.click and paths.consent and self.web not in self._dead
        if click and not old and can_click:
            clicked = self.pipeline.click(tenant=owner)
        order = self.pipeline.gateway(gateway, tenant=owner).order(click=clicked, paid_ago_s=OLD_S if old else 0)
        self._sales[name] = _Telling(order, clicked)
        self.oracle.introduce(name, Sale(tenant=tenant, gateway=gateway, old=old))
        return True

    def _elsewhere(self, step: Step) -> None:
        """The same vendor's same sale at the other tenant: a marketplace, or two customers with one partner."""
        name, known = step.text("sale"), self._sales.get(step.text("of"))
        if known is None or name in self._sales:
            return
        source = self.oracle.sales[step.text("of")]
        tenant = 1 - source.tenant
        gateway = self.pipeline.gateway(source.gateway, tenant=self.pipeline.tenants[tenant])
        if any(
            one.order.order == known.order.order and one.order.gateway.tenant is gateway.tenant
            for one in self._sales.values()
        ):
            return  # that is a sale that the story has already
        self._sales[name] = _Telling(known.order.at(gateway))
        self.oracle.introduce(name, Sale(tenant=tenant, gateway=source.gateway, old=source.old))
        self._tell_event(name, "approved")

    def _tell(self, step: Step) -> None:
        name = step.text("sale")
        if name in self._sales:
            self._tell_event(name, step.text("event"), how=step.text("how"))

    def _tell_event(self, name: str, event: str, *, how: str = "once") -> None:
        sale, order = self.oracle.sales[name], self._sales[name].order
        if event == "retold":
            # Other words for what was told before; what was not may mean something else by itself.
            event = RETOLD.get(sale.gateway, "approved") if sale.heard == "yes" else "approved"
        if event not in order.gateway.events():
            return
        spec = order.gateway.events()[event]
        if how == "at_once":
            statuses = [one.status for one in order.deliver_at_once(3, event)]
        else:
            statuses = [order.deliver(event).status for _ in range(2 if how == "twice" else 1)]
        wrong = [one for one in statuses if one != 202 and not (one is None and self.web in self._dead)]
        if wrong:
            raise PromiseBroken(f"a genuine webhook ({event}, {name}) was answered with {wrong[0]}")
        answered = 202 in statuses
        if spec.outcome == "purchase":
            self.oracle.told(name, answered=answered)
        elif spec.outcome == "reversal" and not spec.partial:
            self.oracle.stopped(name, answered=answered)

    def _withdraw(self, step: Step) -> None:
        telling = self._sales.get(step.text("sale"))
        if telling is None or telling.click is None:
            return
        owner = telling.order.gateway.tenant
        told = {"click_id": telling.click.click_id, "consent": "denied"}
        answer = self.pipeline.track("consent", told, tenant=owner)
        if answer.status != 202 and self.web not in self._dead:
            raise PromiseBroken(f"a withdrawal of consent was answered with {answer.status}")
        self.oracle.stopped(step.text("sale"), answered=answer.status == 202)

    # -- Meta ------------------------------------------------------------------------------------------------

    def _meta(self, tenant: int) -> Any:
        return self.pipeline.meta_of(self.pipeline.tenants[tenant])

    def _fault(self, step: Step) -> None:
        name = step.text("fault")
        if name in PASSING:
            self._was_ill.add(step.number("tenant"))
            self._meta(step.number("tenant")).arm(name, strikes=step.number("strikes"), **PASSING[name])

    def _ill(self, step: Step) -> None:
        tenant, fault = step.number("tenant"), step.text("fault")
        if fault not in LASTING:
            return
        # Nothing that was armed before and counts may strike first.
        self._cure(tenant)
        self._meta(tenant).disarm()
        self._meta(tenant).arm(fault, strikes=None, **PASSING[fault])
        self._poison_again(tenant)
        self._sick[tenant] = fault
        self._was_ill.add(tenant)
        self.oracle.block("ill", str(tenant))

    def _cure(self, tenant: int) -> None:
        self._meta(tenant).disarm()
        self._poison_again(tenant)
        self._sick.pop(tenant, None)
        self.oracle.unblock("ill", str(tenant))

    def _poison_again(self, tenant: int) -> None:
        """What Meta will never take stays so, whatever else is taken off the pixel; armed before what comes later."""
        for name, sale in self.oracle.sales.items():
            if sale.tenant == tenant and sale.poisoned:
                order_id = self._sales[name].order.sale_id
                self._meta(tenant).arm("one_event_refused", strikes=None, order_id=order_id)

    def _well(self, step: Step) -> None:
        self._cure(step.number("tenant"))

    def _poison(self, step: Step) -> None:
        name, tenant = step.text("sale"), step.number("tenant")
        if not self._introduce(name, step.text("gateway"), tenant):
            return
        self.oracle.sales[name].poisoned = True
        if tenant in self._sick:
            # Behind the illness: once Meta is well, what has waited goes out together, this one in its midst.
            order_id = self._sales[name].order.sale_id
            self._meta(tenant).arm("one_event_refused", strikes=None, order_id=order_id)
        else:
            self._cure(tenant)  # nothing that counts may strike before it
        self._tell_event(name, "approved")

    def _token_dies(self, step: Step) -> None:
        tenant = step.number("tenant")
        # There is one renewal for each tenant (MetaView.renew_token), so it dies once.
        if tenant in self._dead_tokens or "set_meta_token" not in self.pipeline.info.target.actions:
            return
        self._dead_tokens.add(tenant)
        self._meta(tenant).expire_token()
        self.oracle.block("token", str(tenant))

    def _token_renewed(self, step: Step) -> None:
        tenant = step.number("tenant")
        if ("token", str(tenant)) in self.oracle.blocks:
            self._meta(tenant).renew_token()
            self.oracle.unblock("token", str(tenant))

    # -- operators and accidents -----------------------------------------------------------------------------

    def _hold(self, step: Step) -> None:
        self._flag(step.number("tenant"), step.text("gateway"), "hold")

    def _release(self, step: Step) -> None:
        if (step.number("tenant"), step.text("gateway")) in self._held:
            self._flag(step.number("tenant"), step.text("gateway"), "on")

    def _flag(self, tenant: int, gateway: str, flag: str) -> None:
        if "set_flag" not in self.pipeline.info.target.actions:
            return
        owner = self.pipeline.tenants[tenant]
        self.pipeline.target.act("set_flag", tenant=owner.tenant, gateway=gateway, flag=flag)
        if flag == "hold":
            self._held.add((tenant, gateway))
            self.oracle.block("hold", f"{tenant}/{gateway}")
        else:
            self._held.discard((tenant, gateway))
            self.oracle.unblock("hold", f"{tenant}/{gateway}")

    def _kill(self, step: Step) -> None:
        role = step.text("role")
        if role in self._dead or role not in self.pipeline.info.target.start:
            return
        self.pipeline.target.kill(role)
        self._dead.add(role)
        self._killed_since_barrier = True
        if role in CARRIERS:
            self.oracle.block(role)  # type: ignore[arg-type]  # CARRIERS are kinds of blocks

    def _start(self, step: Step) -> None:
        role = step.text("role")
        if role not in self._dead:
            return
        if role != self.web and self.web in self._dead:
            self._start(Step("start", {"role": self.web}))  # the stack waits until the target answers
        self.pipeline.target.start(role)
        self._dead.discard(role)
        if role in CARRIERS:
            self.oracle.unblock(role)  # type: ignore[arg-type]  # as above

    def _die_in_call(self, step: Step) -> None:
        """The sender dies while Meta has an event in hand, counted or not, and is started again."""
        name, tenant = step.text("sale"), step.number("tenant")
        if self.oracle.is_blocked(tenant) or self._dead or "consumer" not in self.pipeline.info.target.start:
            return
        gateway = next(iter(self.pipeline.info.target.gateways))
        if not self._introduce(name, gateway, tenant):
            return
        self._cure(tenant)
        meta = self._meta(tenant)
        meta.arm("hang_after_work" if step.args["counted"] else "hang", strikes=1, hang_s=30.0)
        seen = len(meta.probe.calls())
        self._tell_event(name, "approved")
        meta.wait_for_calls(seen + 1, within_s=self.pipeline.timings.dispatch_s)
        self._kill(Step("kill", {"role": "consumer"}))
        self._start(Step("start", {"role": "consumer"}))

    def _die_after_answer(self, step: Step) -> None:
        """The front door dies in the moment in which it has answered, and is started again."""
        if self.web in self._dead or self.web not in self.pipeline.info.target.start:
            return
        if self._introduce(step.text("sale"), step.text("gateway"), step.number("tenant")):
            self._tell_event(step.text("sale"), "approved")
            self._kill(Step("kill", {"role": self.web}))
            self._start(Step("start", {"role": self.web}))

    def _crash_database(self, _: Step) -> None:
        """Where the database is somebody else's nothing happens."""
        self.pipeline.info.control.call("crash_database")
        self.pipeline.let_database_go()
        self._killed_since_barrier = True

    def _jump(self, step: Step) -> None:
        """The clock of everything jumps forward, where the harness has a word for it; else nothing happens.

        The hook for time travel: `TargetView.jump(hours)`, once there is one. The oracle must then learn what grows
        too old meanwhile.
        """
        if (jump := getattr(self.pipeline.target, "jump", None)) is not None:
            jump(step.number("hours"))

    # -- barriers --------------------------------------------------------------------------------------------

    def _settle(self, _: Step) -> None:
        self.settle()

    def settle(self) -> None:
        """Wait until every sale is where it must be, and see that nothing else has happened.

        Raises:
            PromiseBroken: some sale is where it must not be, or is still not where it must be.
        """
        limit_s = self.pipeline.timings.dispatch_s
        if self._killed_since_barrier:
            limit_s += self.pipeline.timings.redelivery_s or 0.0
        witnesses = self._send_witnesses()
        deadline = time.monotonic() + limit_s
        while waiting := self._waiting_for():
            if time.monotonic() > deadline:
                raise PromiseBroken(f"not at rest within {limit_s:g} s: {'; '.join(waiting[:3])}")
            self.pipeline.meta.wait_for_change(within_s=0.03)
        self._killed_since_barrier = False
        self._check_event_ids()
        for tenant in witnesses:
            self._breaker_closes(tenant)
        for tenant, fault in self._sick.items():
            if fault in TRIPPING and self.oracle.waits_for_meta(tenant):
                self._breaker_opens(tenant)

    def _send_witnesses(self) -> list[int]:
        """For each tenant that had a fault and has nothing in its way: one sale more, which must get through."""
        well = [tenant for tenant in sorted(self._was_ill) if not self.oracle.is_blocked(tenant)]
        for tenant in well if self.web not in self._dead else ():
            gateway = next(iter(self.pipeline.info.target.gateways))
            name = f"witness-{len(self._sales) + 1}"
            self._introduce(name, gateway, tenant)
            self._tell_event(name, "approved")
            self._was_ill.discard(tenant)
        return well if self.web not in self._dead else []

    def _waiting_for(self) -> list[str]:
        """What is not yet as it must be; at once a broken promise where it never can be."""
        waiting = []
        for name, seen in self._look().items():
            judged = self.oracle.judge(name, seen)
            if judged.verdict == "wrong":
                raise PromiseBroken(self._sentence(name, judged))
            if judged.verdict == "wait":
                waiting.append(self._sentence(name, judged))
        if not waiting:
            for name, seen in self._look().items():
                self.oracle.settled(name, seen)
        return waiting

    def _sentence(self, name: str, judged: Judgement) -> str:
        sale = self.oracle.sales[name]
        return f"{name} ({sale.gateway}, tenant {sale.tenant}) is {judged.why}"

    def _look(self) -> dict[str, Seen]:
        """Every sale as it is seen now; the target's tables before Meta's inbox, so that no delivery falls between."""
        found: dict[str, Seen] = {}
        for number, tenant in enumerate(self.pipeline.tenants):
            ours = {name: self._sales[name] for name, sale in self.oracle.sales.items() if sale.tenant == number}
            if not ours:
                continue
            stored = self.pipeline.database.conversions(tenant=tenant)
            rows = Counter((one.gateway, one.sale) for one in stored)
            states = {(one.gateway, one.sale): one.state for one in stored}
            calls = MetaProbe(self.pipeline.info.meta_url, tenant.pixel_id).calls()
            for name, telling in ours.items():
                identity = (telling.order.gateway.name, telling.order.sale_id)
                if rows[identity] > 1:
                    raise PromiseBroken(f"{name} is stored {rows[identity]} times")
                events = self.pipeline.meta_of(tenant).events_about(telling.order, calls)
                counted = sum(one["verdict"] == "counted" for one in events)
                found[name] = Seen(stored=states.get(identity), counted=counted)
        return found

    def _check_event_ids(self) -> None:
        """One sale, one event id, in every try; no two sales under one."""
        owners: dict[str, str] = {}
        for name, telling in self._sales.items():
            view = self.pipeline.meta_of(telling.order.gateway.tenant)
            ids = {str(one.get("event_id")) for one in view.events_about(telling.order)}
            if len(ids) > 1:
                raise PromiseBroken(f"{name} was told to Meta under {len(ids)} event ids; one sale has one")
            for one in ids:
                if (other := owners.setdefault(one, name)) != name:
                    raise PromiseBroken(f"{name} and {other} were told to Meta under the same event id")

    def _breaker_closes(self, tenant: int) -> None:
        if self.pipeline.info.target.probes.breaker is None:
            return
        owner = self.pipeline.tenants[tenant]
        wait_until(
            lambda: self.pipeline.breaker(tenant=owner),
            lambda state: state in (None, "closed"),
            goal=f"the breaker of tenant {tenant} closed, as Meta is well and has counted a sale since",
            within_s=self.pipeline.timings.dispatch_s,
        )

    def _breaker_opens(self, tenant: int) -> None:
        if self.pipeline.info.target.probes.breaker is None:
            return
        owner = self.pipeline.tenants[tenant]
        wait_until(
            lambda: self.pipeline.breaker(tenant=owner),
            lambda state: state in ("open", "half_open"),
            goal=f"the breaker of tenant {tenant} open, as Meta fails every try",
            within_s=self.pipeline.timings.dispatch_s,
        )

    # -- the end ---------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Heal everything and settle: in the end each sale is counted, or there is a reason why it is not."""
        self.heal()
        self.settle()

    def heal(self) -> None:
        """Every process up, Meta well, tokens renewed, flags on."""
        for role in [one for one in self.pipeline.info.target.start if one in self._dead]:
            self._start(Step("start", {"role": role}))
        for tenant in range(TENANTS):
            self._cure(tenant)
            self._token_renewed(Step("token_renewed", {"tenant": tenant}))
        for tenant, gateway in sorted(self._held):
            self._flag(tenant, gateway, "on")

    def make_whole(self) -> None:
        """After a failure: what others share must run again, whatever came of this story."""
        try:
            self.pipeline.target.restore()
            for tenant in range(TENANTS):
                self._meta(tenant).disarm()
        finally:
            self.pipeline.close()


def check_registry() -> None:
    """Every fault of the fake's registry is drawn here, or is another step.

    Raises:
        HarnessError: one is not; add it to PASSING or ELSEWHERE.
    """
    unknown = set(FAULTS) - set(PASSING) - set(ELSEWHERE)
    if unknown:
        raise HarnessError(f"the model does not know the fault {', '.join(sorted(unknown))}: harness/model/world.py")


def tell(pipeline: Pipeline, steps: Sequence[Step]) -> World:
    """Tell a whole story, to its end; the world that it leaves.

    Raises:
        PromiseBroken: the target broke one.
    """
    world = World(pipeline)
    try:
        for step in steps:
            world.do(step)
        world.finish()
    finally:
        world.make_whole()
    return world
