"""The state machine that draws stories. Hypothesis decides what happens next; `World` does it.

A rule draws one step. Its preconditions keep the draw from being idle; that a story can also be told without some of
its steps is the world's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from harness.model.steps import Step, Value
from harness.model.world import CARRIERS, CARRIES_CLICK, LASTING, PASSING, SLOW, TENANTS, World

TENANT = st.integers(0, TENANTS - 1)
GATEWAY = st.sampled_from(["perfectpay", "hotmart", "kiwify", "stripe"])
AGE = st.sampled_from(["fresh"] * 7 + ["old"])
#: How Meta may fail, by how often it is drawn.
TROUBLE = ["fault"] * 4 + ["ill"] * 3 + ["poison", "token"]
CLICK = st.sampled_from([False, False, True])
#: A sale that is told of twice, or refunded, is more telling than another first sale.
FIRST_WORDS = st.sampled_from(["approved"] * 6 + ["refunded", "chargeback"])
LATER_WORDS = st.sampled_from(["approved", "retold", "retold", "retold", "refunded", "chargeback", "partly_refunded"])
HOW = st.sampled_from(["once", "twice", "at_once"])
QUICK = sorted(set(PASSING) - set(SLOW))
#: So seldom are faults that cost a target its whole time limit.
FAULT = st.sampled_from(QUICK * 4 + sorted(SLOW))
#: What befalls processes and gateways: a role that stays dead until it is started, or something that is over at once.
ACCIDENTS = [*CARRIERS, *CARRIERS, "web", "die_in_call", "die_in_call", "die_after_answer", "crash_database", "hold"]
#: The most accidents to processes in one story: each costs seconds.
MOST_ACCIDENTS = 2


class PipelineMachine(RuleBasedStateMachine):
    """One example is one story with tenants of its own. `begin`, `tell` and `end` are set by `explore`."""

    begin: Callable[[], World | None]
    end: Callable[[World], None]
    act: Callable[[World | None, Step], None]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).begin()
        self.names: list[str] = []
        self.clicked: list[str] = []
        self.dead: list[str] = []
        self.tokens: dict[int, str] = {}
        self.held: list[tuple[int, str]] = []
        self.ill: set[int] = set()
        self.accidents = 0
        self.last = ""

    def _do(self, do: str, **args: Value) -> None:
        self.last = do
        type(self).act(self.world, Step(do, args))

    def _new(self) -> str:
        self.names.append(f"s{len(self.names) + 1}")
        return self.names[-1]

    # -- vendors and buyers ----------------------------------------------------------------------------------

    @initialize(gateway=GATEWAY, tenant=TENANT)
    def first_sale(self, gateway: str, tenant: int) -> None:
        """No story is about nothing."""
        self._do("sell", sale=self._new(), gateway=gateway, tenant=tenant, event="approved", old=False, click=False)

    @rule(data=st.data(), what=st.sampled_from(["sell"] * 4 + ["tell"] * 4 + ["elsewhere", "withdraw"]))
    def vendor(self, data: Any, what: str) -> None:
        """A new sale; or more about an old one: told again, paid back, at the other tenant too, consent taken back."""
        if what == "withdraw" and self.clicked:
            self._do("withdraw", sale=data.draw(st.sampled_from(self.clicked)))
        elif what == "tell":
            known = data.draw(st.sampled_from(self.names))
            self._do("tell", sale=known, event=data.draw(LATER_WORDS), how=data.draw(HOW))
        elif what == "elsewhere":
            known = data.draw(st.sampled_from(self.names))
            self._do("elsewhere", sale=self._new(), of=known)
        else:
            self._sell(data.draw(GATEWAY), data.draw(TENANT), data.draw(FIRST_WORDS), data.draw(AGE), data.draw(CLICK))

    def _sell(self, gateway: str, tenant: int, event: str, age: str, click: bool) -> None:
        name, old = self._new(), age == "old"
        if click and not old and gateway in CARRIES_CLICK:
            self.clicked.append(name)
        self._do("sell", sale=name, gateway=gateway, tenant=tenant, event=event, old=old, click=click)

    # -- Meta ------------------------------------------------------------------------------------------------

    @rule(data=st.data(), what=st.sampled_from(TROUBLE), tenant=TENANT)
    def meta(self, data: Any, what: str, tenant: int) -> None:
        """Meta fails some calls, or every one until it is well; or it will never take one sale; or a token dies."""
        if what == "token" and tenant not in self.tokens:
            self.tokens[tenant] = "dead"
            self._do("token_dies", tenant=tenant)
        elif what == "poison":
            self.ill.add(tenant)
            self._do("poison", sale=self._new(), gateway=data.draw(GATEWAY), tenant=tenant)
        elif what == "ill":
            self.ill.add(tenant)
            self._do("ill", tenant=tenant, fault=data.draw(st.sampled_from(LASTING)))
        else:
            self.ill.add(tenant)
            fault = data.draw(FAULT)
            strikes = 1 if fault in SLOW else data.draw(st.integers(1, 4))
            self._do("fault", tenant=tenant, fault=fault, strikes=strikes)

    @precondition(lambda self: self.ill or "dead" in self.tokens.values())
    @rule(data=st.data())
    def relief(self, data: Any) -> None:
        """Nothing is wrong with Meta any more, or there is a new token."""
        dead = [("token_renewed", tenant) for tenant, state in self.tokens.items() if state == "dead"]
        do, tenant = data.draw(st.sampled_from([*(("well", one) for one in sorted(self.ill)), *dead]))
        if do == "well":
            self.ill.discard(tenant)
        else:
            self.tokens[tenant] = "renewed"
        self._do(do, tenant=tenant)

    # -- operators and accidents -----------------------------------------------------------------------------

    @precondition(lambda self: self.accidents < MOST_ACCIDENTS and not self.dead and not self.held)
    @rule(data=st.data(), what=st.sampled_from(ACCIDENTS), tenant=TENANT)
    def accident(self, data: Any, what: str, tenant: int) -> None:
        """A process dies, or dies in the worst moment and is there again; or an operator puts a gateway on hold."""
        self.accidents += 1
        if what == "hold":
            self.held.append((tenant, data.draw(GATEWAY)))
            self._do("hold", tenant=tenant, gateway=self.held[0][1])
        elif what == "die_in_call":
            self._do(what, sale=self._new(), tenant=tenant, counted=data.draw(st.booleans()))
        elif what == "die_after_answer":
            self._do(what, sale=self._new(), gateway=data.draw(GATEWAY), tenant=tenant)
        elif what == "crash_database":
            self._do(what)
        else:
            self.dead.append(what)
            self._do("kill", role=what)

    @precondition(lambda self: self.dead or self.held)
    @rule()
    def repair(self) -> None:
        """What has died is started again, what was on hold is on."""
        if self.dead:
            self._do("start", role=self.dead.pop())
        else:
            tenant, gateway = self.held.pop()
            self._do("release", tenant=tenant, gateway=gateway)

    @precondition(lambda self: self.last != "settle")
    @rule()
    def settle(self) -> None:
        """A barrier: everything has come to rest, and is where it must be."""
        self._do("settle")

    def teardown(self) -> None:
        """The last barrier."""
        if self.world is not None:
            type(self).end(self.world)
