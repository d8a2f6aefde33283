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
from harness.model.world import CARRIERS, LASTING, PASSING, RETOLD, SLOW, TENANTS, World

TENANT = st.integers(0, TENANTS - 1)
#: A sale that is told of twice, or refunded, is more telling than another first sale.
FIRST_WORDS = st.sampled_from(["approved"] * 6 + ["refunded", "chargeback"])
LATER_WORDS = st.sampled_from(["approved", "retold", "refunded", "chargeback", "partly_refunded"])
HOW = st.sampled_from(["once", "twice", "at_once"])
QUICK = sorted(set(PASSING) - set(SLOW))
#: So seldom are faults that cost a target its whole time limit.
FAULT = st.sampled_from(QUICK * 4 + sorted(SLOW))
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
        self.accidents = 0

    def _do(self, do: str, **args: Value) -> None:
        type(self).act(self.world, Step(do, args))

    def _new(self) -> str:
        self.names.append(f"s{len(self.names) + 1}")
        return self.names[-1]

    # -- sales -----------------------------------------------------------------------------------------------

    @initialize(gateway=st.sampled_from(sorted(RETOLD)), tenant=TENANT)
    def first_sale(self, gateway: str, tenant: int) -> None:
        """No story is about nothing."""
        self._do("sell", sale=self._new(), gateway=gateway, tenant=tenant, event="approved", old=False, click=False)

    @rule(
        gateway=st.sampled_from(["perfectpay", "hotmart", "kiwify", "stripe"]),
        tenant=TENANT,
        event=FIRST_WORDS,
        old=st.sampled_from([False] * 5 + [True]),
        click=st.booleans(),
    )
    def sell(self, gateway: str, tenant: int, event: str, old: bool, click: bool) -> None:
        """A new sale, of which the vendor tells first that it was paid, or already that it was paid back."""
        name = self._new()
        if click:
            self.clicked.append(name)
        self._do("sell", sale=name, gateway=gateway, tenant=tenant, event=event, old=old, click=click)

    @rule(data=st.data(), event=LATER_WORDS, how=HOW)
    def tell(self, data: Any, event: str, how: str) -> None:
        """Something more about a sale."""
        self._do("tell", sale=data.draw(st.sampled_from(self.names)), event=event, how=how)

    @rule(data=st.data())
    def elsewhere(self, data: Any) -> None:
        """The same sale at the other tenant."""
        known = data.draw(st.sampled_from(self.names))
        self._do("elsewhere", sale=self._new(), of=known)

    @precondition(lambda self: self.clicked)
    @rule(data=st.data())
    def withdraw(self, data: Any) -> None:
        """A buyer takes their consent back."""
        self._do("withdraw", sale=data.draw(st.sampled_from(self.clicked)))

    # -- Meta ------------------------------------------------------------------------------------------------

    @rule(tenant=TENANT, fault=FAULT, strikes=st.integers(1, 4))
    def fault(self, tenant: int, fault: str, strikes: int) -> None:
        """Meta fails some calls in some way."""
        self._do("fault", tenant=tenant, fault=fault, strikes=1 if fault in SLOW else strikes)

    @rule(tenant=TENANT, fault=st.sampled_from(LASTING))
    def ill(self, tenant: int, fault: str) -> None:
        """Meta fails every call until it is well."""
        self._do("ill", tenant=tenant, fault=fault)

    @rule(tenant=TENANT)
    def well(self, tenant: int) -> None:
        """Nothing is wrong with Meta any more."""
        self._do("well", tenant=tenant)

    @rule(tenant=TENANT, gateway=st.sampled_from(["kiwify", "stripe"]))
    def poison(self, tenant: int, gateway: str) -> None:
        """A sale that Meta will never take."""
        self._do("poison", sale=self._new(), gateway=gateway, tenant=tenant)

    @precondition(lambda self: len(self.tokens) < TENANTS or "dead" in self.tokens.values())
    @rule(data=st.data())
    def token(self, data: Any) -> None:
        """A token dies, or there is a new one."""
        tenant = data.draw(st.sampled_from([one for one in range(TENANTS) if self.tokens.get(one) != "renewed"]))
        dead = self.tokens.get(tenant) == "dead"
        self.tokens[tenant] = "renewed" if dead else "dead"
        self._do("token_renewed" if dead else "token_dies", tenant=tenant)

    # -- operators and accidents -----------------------------------------------------------------------------

    @precondition(lambda self: not self.held)
    @rule(tenant=TENANT, gateway=st.sampled_from(["hotmart", "perfectpay"]))
    def hold(self, tenant: int, gateway: str) -> None:
        """An operator puts a gateway on hold."""
        self.held.append((tenant, gateway))
        self._do("hold", tenant=tenant, gateway=gateway)

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        """And on again."""
        tenant, gateway = self.held.pop()
        self._do("release", tenant=tenant, gateway=gateway)

    @precondition(lambda self: self.accidents < MOST_ACCIDENTS and not self.dead)
    @rule(role=st.sampled_from([*CARRIERS, *CARRIERS, "web"]))
    def kill(self, role: str) -> None:
        """A process dies."""
        self.accidents += 1
        self.dead.append(role)
        self._do("kill", role=role)

    @precondition(lambda self: self.dead)
    @rule()
    def start(self) -> None:
        """And is started again."""
        self._do("start", role=self.dead.pop())

    @precondition(lambda self: self.accidents < MOST_ACCIDENTS and not self.dead)
    @rule(data=st.data(), tenant=TENANT)
    def accident(self, data: Any, tenant: int) -> None:
        """Something dies in the worst moment, and is there again."""
        self.accidents += 1
        what = data.draw(st.sampled_from(["die_in_call", "die_in_call", "die_after_answer", "crash_database"]))
        if what == "die_in_call":
            self._do(what, sale=self._new(), tenant=tenant, counted=data.draw(st.booleans()))
        elif what == "die_after_answer":
            gateway = data.draw(st.sampled_from(["kiwify", "stripe"]))
            self._do(what, sale=self._new(), gateway=gateway, tenant=tenant)
        else:
            self._do(what)

    @rule()
    def settle(self) -> None:
        """A barrier: everything has come to rest, and is where it must be."""
        self._do("settle")

    def teardown(self) -> None:
        """The last barrier."""
        if self.world is not None:
            type(self).end(self.world)
