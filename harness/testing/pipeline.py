"""The running target as one scenario sees it."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import requests

from harness import samples, target_json
from harness.checks import ledger, pages, privacy
from harness.errors import HarnessError, PromiseBroken
from harness.faults import names
from harness.faults.base import InPlace, NothingToBreak, Reach, in_place
from harness.probes.database import DatabaseProbe
from harness.probes.meta import MetaProbe
from harness.probes.queue import QueueProbe
from harness.records import Concern, ConversionState, Delivery, Ledger
from harness.target import Timings
from harness.tenants import Tenant
from harness.testing import wire
from harness.testing.answers import Answer, Click, Visitor, must_accept, not_applicable, not_declared
from harness.testing.dashboard import DashboardView
from harness.testing.database import DatabaseView
from harness.testing.gateway import Gateway, PlacedOrder
from harness.testing.meta import MetaView
from harness.testing.network import NetworkView
from harness.testing.stack_info import StackInfo
from harness.testing.target import TargetView
from harness.testing.traffic import Traffic
from harness.testing.wire import Exchange
from harness.waiting import wait_until

AT_ONCE = 10
"""Sales that are on their way together where there are many, and each must come to its end once."""


class Pipeline:
    """The running target as one scenario sees it: its own tenant, its own pixel, its own orders."""

    def __init__(
        self, info: StackInfo, tenants: Sequence[Tenant], *, scenario: str, gateway: str | None, alone: bool = True
    ) -> None:
        self.info = info
        self.scenario = scenario
        self.alone = alone
        """Whether no other scenario runs on this stack meanwhile."""
        self.tenants = tenants
        self.tenant = tenants[0]
        self.deliveries: list[Delivery] = []
        self.orders: list[PlacedOrder] = []
        self.evidence: list[str] = []
        self.concerns: list[Concern] = []
        """With claims like `gateway/202` in the place of rows."""
        self.kept: list[str] = []
        """Claims whose own part of the scenario has passed."""
        self.failing: tuple[str, ...] = ()
        """Claims in whose own part it failed."""
        self.last_exchange: Exchange | None = None
        """The last webhook and its answer, for the report of a red scenario."""
        self.timeline: list[dict[str, Any]] = []
        """What happened when, as `records.TimelineEvent` has it; for the report to draw."""
        self._default_gateway = gateway
        self._numbers = itertools.count(1)
        self.visited = False
        """Whether this scenario saw a visitor click: what is bought after that is paid after that."""
        self._told: dict[str, set[str]] = {one.pixel_id: set() for one in tenants}
        self._told_without_id = False
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))
        self._inboxes: dict[str, MetaProbe] = {}
        self._queues: dict[str, QueueProbe] = {}
        probes = info.target.probes
        self.meta = self.meta_of(self.tenant)
        self.target = TargetView(self)
        self._network: NetworkView | None = None
        self._database = (
            DatabaseProbe(probes.database_url, conversions=probes.conversions) if probes.database_url else None
        )

    def must_be_alone(self, what: str) -> None:
        """What touches others' scenarios is for exclusive ones; found when it is written, not by a red run some day.

        Raises:
            HarnessError: others may run on this stack at the same time.
        """
        if not self.alone:
            raise HarnessError(f"{self.scenario} {what}: mark it @pytest.mark.exclusive")

    # -- the parts -------------------------------------------------------------------------------------------

    @property
    def timings(self) -> Timings:
        """How long this target needs for what; see the target file."""
        return self.info.target.timings

    def meta_of(self, tenant: Tenant) -> MetaView:
        """What Meta has seen of one tenant's pixel."""
        return MetaView(self._inbox(tenant), self, tenant=tenant)

    def _inbox(self, tenant: Tenant) -> MetaProbe:
        """One for each pixel, for it remembers what it has heard."""
        if tenant.pixel_id not in self._inboxes:
            self._inboxes[tenant.pixel_id] = MetaProbe(self.info.meta_url, tenant.pixel_id)
        return self._inboxes[tenant.pixel_id]

    @property
    def database(self) -> DatabaseView:
        """The target's tables; the scenario is skipped as not observed where they cannot be seen."""
        if self._database is None:
            not_declared("the target file names no probes.database_url")
        return DatabaseView(self._database, self)

    @property
    def network(self) -> NetworkView:
        """The links between the target and what it needs; in exclusive scenarios only."""
        self.must_be_alone("puts toxics between parts that others use as well")
        if self._network is None:
            self._network = NetworkView(self)
        return self._network

    def dashboard(self, *, tenant: Tenant | None = None) -> DashboardView:
        """The customer's page, seen by a new user of this tenant, or of another one of the scenario's."""
        return DashboardView(self.info, (tenant or self.tenant).tenant)

    @property
    def queue(self) -> QueueProbe:
        """The queue that carries dispatches."""
        return self._queue(self.info.target.probes.queue, "queue")

    @property
    def dead_letters(self) -> QueueProbe:
        """The dead-letter queue."""
        return self._queue(self.info.target.probes.dead_letters, "dead_letters")

    def _queue(self, name: str | None, probe: str) -> QueueProbe:
        aws_url = self.info.target.probes.aws_url
        if not (name and aws_url):
            not_declared(f"the target file names no probes.{probe} and probes.aws_url")
        if name not in self._queues:
            self._queues[name] = QueueProbe(aws_url, name)
        return self._queues[name]

    def gateway(
        self,
        name: str | None = None,
        *,
        like: str | None = None,
        can: Sequence[str] = (),
        besides: Gateway | None = None,
        tenant: Tenant | None = None,
    ) -> Gateway:
        """A payment gateway that this tenant uses; without a name, the one the scenario is run for.

        `like` asks for any: that one if the target speaks it and it can tell what the scenario needs (`can`: names of
        events, and of `harness.samples.TOLD`), else the first other one that can. `besides` asks for a second one.
        """
        owner = tenant or self.tenant
        if like is not None:
            chosen = self._sample(owner, like, can, besides)
        else:
            chosen = name or self._default_gateway or next(iter(self.tenant.gateways))
        if chosen not in owner.gateways:
            not_declared(f"the target does not speak {chosen}")
        return Gateway(self, chosen, owner)

    def _sample(self, owner: Tenant, like: str, can: Sequence[str], besides: Gateway | None) -> str:
        taken = besides.name if besides else None
        spoken = [(name, account.dialect) for name, account in owner.gateways.items() if name != taken]
        found = samples.choose(spoken, like=(like,), can=can)
        if not found:
            not_declared(samples.lacking(can, second=besides is not None))
        [(chosen, dialect)] = found
        said = f"told by {chosen} ({dialect}), in place of {like}"
        if chosen != like and said not in self.evidence:
            self.note(said)
        return chosen

    @property
    def other_tenant(self) -> Tenant:
        """A second customer; the scenario's mark says `tenants=2`."""
        return self.tenants[1]

    def note(self, sentence: str) -> None:
        """Leave a sentence of evidence in the report."""
        self.evidence.append(sentence)

    def concern(self, sentence: str, *, row: str = "") -> None:
        """Say something that breaks no promise, and that somebody should know before the launch.

        Args:
            sentence: What was seen, and what it costs.
            row: A claim of this scenario, like `gateway/202`, whose row is not met for it.
        """
        found = Concern(sentence=sentence, rows=(row,) if row else ())
        if found not in self.concerns:
            self.concerns.append(found)

    @contextmanager
    def proving(self, *claims: str) -> Iterator[None]:
        """The part of a scenario that proves these rows, and only these.

        If it fails in here, no other row of the scenario is not met: those whose part has passed are met, the others
        were not looked at. Claims are those of the mark: `gateway/persisted`, `011.6/smoke-dispatch`.
        """
        try:
            yield
        except AssertionError:
            self.failing = claims
            raise
        self.kept += claims

    def not_applicable(self, reason: str) -> NoReturn:
        """End a variant that means nothing for this vendor: it is no promise kept, and proves nothing."""
        not_applicable(f"{self.gateway().name} ({self.gateway().dialect}): {reason}")

    def next_number(self) -> int:
        """1, 2, 3 … within the scenario."""
        return next(self._numbers)

    # -- tracking --------------------------------------------------------------------------------------------

    def click(self, *, tenant: Tenant | None = None, visitor: Visitor | None = None, **changes: Any) -> Click:
        """A visitor arrives from an ad, at this tenant's or another's: they are given a short click id."""
        rng = random.Random(f"{self.info.seed}/{self.scenario}/click/{self.next_number()}")
        fbclid = "IwAR" + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", k=57))
        fbp = f"fb.1.{self.info.clock.origin_s * 1000 - 60_000}.{rng.randrange(10**9, 10**10)}"
        body = {
            "url": f"https://vendas.example.com.br/oferta?utm_source=facebook&utm_campaign=lancamento&fbclid={fbclid}",
            "fbclid": fbclid,
            "fbp": fbp,
            "consent": "granted",
            "utm_source": "facebook",
            "utm_campaign": "lancamento",
            **changes,
        }
        answer = self.track("click", body, tenant=tenant, visitor=visitor)
        must_accept(answer, "a click must be accepted")
        said = answer.json()
        click_id, params = said.get("click_id"), said.get("checkout_params") or {}
        if not click_id:
            raise PromiseBroken(f"the answer to a click holds no click_id: {answer.said}")
        if not (isinstance(params, dict) and all(isinstance(one, dict) for one in params.values())):
            raise PromiseBroken(f"checkout_params must be parameters by gateway: {answer.said}")
        self.visited = True
        return Click(
            click_id=str(click_id),
            fbclid=str(body["fbclid"]),
            fbp=str(body["fbp"]),
            checkout_params=params,
        )

    def track(
        self,
        what: str,
        body: Mapping[str, Any] | bytes,
        *,
        tenant: Tenant | None = None,
        visitor: Visitor | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One tracking request: click, pageview, checkout or consent; of that visitor, if one is named."""
        owner = tenant or self.tenant
        answer = self.target.post(
            self.tracking_path(what, tenant=owner.tenant),
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={**({"User-Agent": visitor.browser} if visitor else {}), **(headers or {})},
            source=visitor.address if visitor else None,
        )
        if what in pages.NAMES and (answer.status is None or answer.status < 300):
            self._remember_told(owner, body, answer)
        return answer

    def _remember_told(self, owner: Tenant, body: Mapping[str, Any] | bytes, answer: Answer) -> None:
        """By which id Meta may hear of it: the page's own, else the one that it is answered with."""
        given = body.get("event_id") if isinstance(body, Mapping) else None
        try:
            said = target_json.read(answer.text)
        except ValueError:
            said = None
        event_id = given or (said.get("event_id") if isinstance(said, dict) else None)
        if event_id:
            self._told[owner.pixel_id].add(str(event_id))
        else:
            self._told_without_id = True

    def tracking_path(self, what: str, *, tenant: str) -> str:
        """Where the target listens for a click, pageview, checkout or change of consent of that tenant."""
        template = getattr(self.info.target.paths, what)
        if template is None:
            not_declared(f"the target file names no paths.{what}")
        path: str = template.format(tenant=tenant)
        return path

    # -- what must not happen --------------------------------------------------------------------------------

    def now_s(self) -> float:
        """The present of this run, in seconds since 1970."""
        return self.info.clock.now_s()

    def a_later_order_arrives(self) -> None:
        """A barrier: an order that is sent now has been through the whole pipeline; what came before it has too.

        Dispatchers that run side by side may overtake each other. So where the target lets us look, none of this
        tenant's sales may be on its way either: what is held, ended or delivered is not.
        """
        later = self.gateway().order()
        must_accept(later.deliver())
        self.meta.wait_until_counted(later)
        if self._database is not None and self.info.target.probes.conversions is not None:
            wait_until(
                lambda: [one.sale for one in self.database.conversions() if one.state == "pending"],
                lambda pending: not pending,
                goal="nothing of this tenant on its way any more",
                within_s=self.timings.dispatch_s,
            )

    def deliver_until(self, orders: Sequence[PlacedOrder], state: ConversionState) -> None:
        """Deliver them, ten at a time, each ten until they are in that state.

        A slow dispatcher with too much in hand is given some of it again, and buries it twice: a letter too many.
        """
        for begin in range(0, len(orders), AT_ONCE):
            some = orders[begin : begin + AT_ONCE]
            for order in some:
                order.deliver()
            self.database.wait_for_all(some, state)

    def refusal_of(self, order: PlacedOrder) -> str:
        """How the target refused this order, where it refused every webhook about it; else nothing."""
        told = [
            one
            for one in self.deliveries_of(order.gateway.tenant)
            if one.sale == order.sale_id and one.gateway == order.gateway.name
        ]
        if not told or any(one.accepted or one.status is None for one in told):
            return ""
        return f"a genuine webhook must be accepted; sale {order.sale_id} was answered with {told[-1].status}"

    def traffic(self, *, per_s: float, via: str | None = None, gateway: Gateway | None = None) -> Traffic:
        """Sales that keep coming for as long as its block lasts, whatever the target does; `via` as in `deliver`.

        Without a gateway, through the one the scenario is run for.
        """
        return Traffic(gateway or self.gateway(), per_s=per_s, via=via)

    def reach(self, *, wait_ready: bool = True) -> Reach:
        """What faults can get at from here."""
        return Reach(
            control=self.info.control,
            meta=self.meta,
            roles=tuple(self.info.target.start),
            seed=self.info.seed,
            stop_s=self.timings.stop_s,
            wait_ready=wait_ready,
        )

    @contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[InPlace]:
        """That fault (see `golive list faults`) for as long as its block lasts; not observed where it is not ours."""
        fault = names.make(name, parameters)
        began = False
        try:
            with in_place(fault, self.reach()) as placed:
                began = True
                yield placed
        except NothingToBreak as error:
            if began:
                raise
            not_declared(f"{error}, so it cannot break it")

    def nothing_is_sent_about(self, order: PlacedOrder) -> None:
        """A broken promise if Meta hears of this order, even after a later one has gone through."""
        self.a_later_order_arrives()
        self.meta.seen_nothing_of(order)

    def refused_means_refused(self, order: PlacedOrder) -> None:
        """Nothing stored (where the target lets us look), nothing sent."""
        if self._database is not None:
            self.database.stored_nothing_of(order)
        self.nothing_is_sent_about(order)

    # -- the target's inside, where it lets us look ----------------------------------------------------------

    def breaker(self, *, tenant: Tenant | None = None) -> str | None:
        """The state of a tenant's circuit breaker: closed, open, half_open; None: it never had a reason to be."""
        query = self.info.target.probes.breaker
        if query is None:
            not_declared("the target file gives no probes.breaker query")
        state = self.database.value(query, tenant=tenant)
        return None if state is None else str(state)

    def wait_until_breaker(self, state: str) -> None:
        """Return once the breaker is in that state."""
        wait_until(
            self.breaker,
            lambda seen: seen == state,
            goal=f"the breaker of pixel {self.tenant.pixel_id} {state}",
            within_s=self.timings.dispatch_s,
        )

    def match_method(self, *, tenant: Tenant | None = None) -> str | None:
        """How a tenant's last purchase was matched to a click: click_id, fbclid, email, phone; None: it was not.

        Without a tenant, this scenario's own.
        """
        query = self.info.target.probes.match_method
        if query is None:
            not_declared("the target file gives no probes.match_method query")
        method = self.database.value(query, tenant=tenant)
        return None if method is None else str(method)

    def wait_for_messages(self) -> list[str]:
        """The bodies of what stands in the queue, once there is something."""
        return wait_until(
            self.queue.bodies, bool, goal="a message in the dispatch queue", within_s=self.timings.dispatch_s
        )

    def counted_by_pixel(self) -> dict[str, int]:
        """How many events Meta has counted so far for each of this scenario's tenants; what pages told apart."""
        return {
            one.pixel_id: sum(
                event.counted and not pages.is_told(event, self._told[one.pixel_id])
                for event in self._inbox(one).arrivals()
            )
            for one in self.tenants
        }

    def told_by_pixel(self) -> dict[str, list[str]]:
        """The event ids that pages told, for each of this scenario's tenants: Meta may yet hear of them."""
        return {pixel: sorted(ids) for pixel, ids in self._told.items()}

    # -- the end ---------------------------------------------------------------------------------------------

    def settle(self, *, within_s: float | None = None) -> ledger.Closing:
        """Wait until nothing of this scenario is on its way, and close its ledger.

        Raises:
            PromiseBroken: something is lost, doubled, still pending, or came from nowhere.
        """
        limit_s = self.timings.dispatch_s if within_s is None else within_s
        deadline = time.monotonic() + limit_s
        closing = self.ledger()
        while closing.ledger.pending or (closing.ledger.lost and not self._sees_conversions()):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            self.meta.wait_for_change(within_s=min(0.25, left_s))
            closing = self.ledger()
        if closing.findings:
            raise PromiseBroken("the ledger does not close: " + "; ".join(closing.findings[:5]))
        return closing

    def ledger(self) -> ledger.Closing:
        """The ledger as it stands now, over all tenants of this scenario."""
        whole = ledger.Closing(ledger=Ledger(), findings=())
        for tenant in self.tenants:
            stored = self._database.conversions(tenant.tenant) if self._database else None
            arrivals = self._inbox(tenant).arrivals()
            one = ledger.close(self.deliveries_of(tenant), arrivals, stored)
            strays = () if self._told_without_id else pages.from_nowhere(arrivals, self._told[tenant.pixel_id])
            whole = ledger.Closing(ledger=whole.ledger + one.ledger, findings=(*whole.findings, *one.findings, *strays))
        return whole

    def _sees_conversions(self) -> bool:
        # Without a look into its tables, a target that is slow and one that has lost it look the same.
        return self._database is not None and self.info.target.probes.conversions is not None

    def deliveries_of(self, tenant: Tenant) -> list[Delivery]:
        """What was sent to one tenant's address."""
        return [one for one in self.deliveries if one.tenant == tenant.tenant]

    def canaries(self) -> list[privacy.Canary]:
        """Everything personal that this scenario has invented."""
        return [canary for order in self.orders for canary in order.canaries()]

    def shown_wire(self) -> list[str]:
        """What a red scenario shows: its last webhook, the answer, what Meta was sent and said. Nobody is named."""
        if self.last_exchange is None:
            return []
        accounts = [account for tenant in self.tenants for account in tenant.gateways.values()]
        secrets = [*(one.secret for one in accounts), *(tenant.meta_token for tenant in self.tenants)]
        mask = privacy.Mask([*self.canaries(), *(privacy.Canary(kind="secret", text=secret) for secret in secrets)])
        return wire.in_words(self.last_exchange, self._inbox(self.tenant).calls(), mask)

    def adopt(self, other: Pipeline, *, ledger: bool) -> None:
        """What another one has invented is this scenario's; with `ledger` its tenants too, with all they were sent."""
        self.orders += other.orders
        self.evidence += other.evidence
        if ledger:
            self.tenants = [*self.tenants, *other.tenants]
            self.deliveries += other.deliveries
            self._told |= other.told_ids()

    def told_ids(self) -> dict[str, set[str]]:
        """The event ids that pages told, by pixel."""
        return self._told

    def let_database_go(self) -> None:
        """Look into the database by a new connection the next time: the old one may be dead."""
        if self._database:
            self._database.close()

    def close(self) -> None:
        """Let connections go, and leave the network whole."""
        self.http.close()
        if self._network:
            self._network.close()
        self.let_database_go()
