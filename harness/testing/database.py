"""The target's tables, as far as the scenario's tenant goes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import gt
from typing import TYPE_CHECKING, Any

from harness.checks import privacy
from harness.errors import PromiseBroken
from harness.probes.database import DatabaseProbe, NoSuchTable
from harness.records import Conversion, ConversionState
from harness.testing.answers import not_declared, not_observable
from harness.testing.gateway import PlacedOrder
from harness.waiting import wait_until

if TYPE_CHECKING:
    from harness.tenants import Tenant
    from harness.testing.pipeline import Pipeline


class DatabaseView:
    """The target's tables, as far as this scenario's tenant goes."""

    def __init__(self, probe: DatabaseProbe, pipeline: Pipeline) -> None:
        self._probe = probe
        self._pipeline = pipeline

    def conversions(self, *, tenant: Tenant | None = None) -> list[Conversion]:
        """All conversions of this tenant, or of another one of the scenario's."""
        found = self._probe.conversions((tenant or self._pipeline.tenant).tenant)
        if found is None:
            not_declared("the target file gives no probes.conversions query")
        return found

    def conversion(self, order: PlacedOrder) -> Conversion | None:
        """What is stored of an order at its own tenant, if anything."""
        stored = self.conversions(tenant=order.gateway.tenant)
        rows = [one for one in stored if one.sale == order.sale_id and one.gateway == order.gateway.name]
        if len(rows) > 1:
            raise PromiseBroken(f"sale {order.sale_id} is stored {len(rows)} times")
        return rows[0] if rows else None

    def wait_for_state(
        self, order: PlacedOrder, state: ConversionState, *, within_s: float | None = None
    ) -> Conversion:
        """The conversion, once it is in that state."""
        limit_s = self._pipeline.timings.dispatch_s if within_s is None else within_s
        found = wait_until(
            lambda: self.conversion(order),
            lambda one: one is not None and one.state == state,
            goal=f"sale {order.sale_id} {state} in the target's database",
            within_s=limit_s,
        )
        assert found is not None
        return found

    def wait_for_all(self, orders: Sequence[PlacedOrder], state: ConversionState) -> None:
        """Return once all of this tenant's orders are in that state. The limit is each one's: many take longer."""
        wanted = {(one.gateway.name, one.sale_id) for one in orders}

        def missing() -> int:
            return len(wanted - {(one.gateway, one.sale) for one in self.conversions() if one.state == state})

        left = len(wanted)
        while left:
            left = wait_until(
                missing,
                partial(gt, left),
                goal=f"one more of {left} sales {state} in the target's database",
                within_s=self._pipeline.timings.dispatch_s,
            )

    def stored_nothing_of(self, *orders: PlacedOrder) -> None:
        """A broken promise if any row of any table mentions one of these sales or its buyer."""
        places = self._probe.places_of(*(word for order in orders for word in _words(order)))
        if not places:
            return
        found = [one.sale_id for one in orders if self._probe.places_of(*_words(one))]
        whose = found or [one.sale_id for one in orders]  # should it be gone by now, it was stored all the same
        raise PromiseBroken(
            f"sale {', '.join(whose[:5])} was refused and is stored all the same, in {', '.join(places)}"
        )

    def places_of(self, text: str) -> tuple[str, ...]:
        """The tables in which a text stands, whoever's it is."""
        return tuple(self._probe.places_of(text))

    def moment(self) -> str:
        """Now, for `leaks`: what is written later is new."""
        return self._probe.moment()

    def leaks(self, orders: Sequence[PlacedOrder], *, since: str) -> tuple[str, ...]:
        """Where in any table something of these buyers stands in plain text, in what was written since a `moment`."""
        hunt = privacy.Hunt(canary for order in orders for canary in order.canaries())
        places = {
            f"table {schema}.{table}": self._probe.rows(schema, table, since=since)
            for schema, table in self._probe.tables()
        }
        return privacy.leaks(hunt, places)

    def knows(self, order: PlacedOrder) -> list[str]:
        """The tables in which the buyer of an order can still be recognised, by plain text or by hash."""
        buyer = order.order.buyer
        words = (order.email_hash, order.phone_hash, buyer.email, buyer.phone_e164, buyer.ip_address, buyer.user_agent)
        return sorted(self._probe.places_of(*filter(None, words)))

    def shows(self, *words: str) -> list[str]:
        """The tables in which one of these words stands as it is."""
        return sorted(self._probe.places_of(*words))

    def value(self, query: str, *, tenant: Tenant | None = None) -> Any:
        """The one value of a query; `%(tenant)s` is this scenario's tenant, or the one named.

        A target whose tables are called otherwise is not observed there: its own names are its own business.
        """
        try:
            return self._probe.value(query, {"tenant": (tenant or self._pipeline.tenant).tenant})
        except NoSuchTable as error:
            not_observable(str(error))

    def wait_for_value(
        self, query: str, wanted: Any, *, goal: str, within_s: float | None = None, tenant: Tenant | None = None
    ) -> None:
        """Return once the query's one value is `wanted`; without a limit, analytics get the time that they need."""
        limit_s = self._pipeline.timings.analytics_s if within_s is None else within_s
        wait_until(lambda: self.value(query, tenant=tenant), lambda seen: seen == wanted, goal=goal, within_s=limit_s)


def _words(order: PlacedOrder) -> list[str]:
    """What tells a sale or its buyer, as it is or hashed."""
    buyer = order.order.buyer
    return list(filter(None, (order.sale_id, order.email_hash, order.phone_hash, buyer.email, buyer.phone_e164)))
