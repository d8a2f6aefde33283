"""What Meta has seen of the scenario's pixel, and what it should answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import PromiseBroken
from harness.probes.meta import MetaProbe, hashes_of, summary
from harness.target_json import TargetObject
from harness.testing.answers import sha256
from harness.testing.gateway import PlacedOrder
from harness.waiting import wait_until

if TYPE_CHECKING:
    from harness.tenants import Tenant
    from harness.testing.pipeline import Pipeline


class MetaView:
    """What Meta has seen of this scenario's pixel, and what it should answer."""

    def __init__(self, probe: MetaProbe, pipeline: Pipeline, *, tenant: Tenant) -> None:
        self.probe = probe
        self._pipeline = pipeline
        self._tenant = tenant
        self._token = tenant.meta_token
        """The one that Meta gave out last."""

    def everything_about(
        self, order: PlacedOrder, calls: Sequence[dict[str, Any]] | None = None
    ) -> list[dict[str, Any]]:
        """All events about an order, of any name, refused and duplicate ones too, each with its call under `call`."""
        found: list[dict[str, Any]] = []
        for call in self.probe.calls() if calls is None else calls:
            for event in call["events"]:
                custom = event.get("custom_data") or {}
                by_id = custom.get("order_id") == order.sale_id
                by_buyer = not set(order.keys).isdisjoint(hashes_of(event))
                if by_id or by_buyer:
                    found.append(TargetObject({**event, "call": call}))
        return found

    def events_about(self, order: PlacedOrder, calls: Sequence[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """The Purchase events among them."""
        return [one for one in self.everything_about(order, calls) if one.get("event_name") == "Purchase"]

    def wait_until_counted(self, order: PlacedOrder, *, within_s: float | None = None) -> dict[str, Any]:
        """The event that Meta counted for this order.

        A broken promise at once if every webhook about it was refused: then there is nothing to wait for.
        """
        if refusal := self._pipeline.refusal_of(order):
            raise PromiseBroken(refusal)
        return self.wait_for_events(order, verdict="counted", within_s=within_s)[0]

    def wait_for_events(
        self, order: PlacedOrder, *, count: int = 1, verdict: str | None = None, within_s: float | None = None
    ) -> list[dict[str, Any]]:
        """At least `count` events about an order, of that verdict if one is named."""
        limit_s = self._pipeline.timings.dispatch_s if within_s is None else within_s
        wanted = f"{verdict} by Meta" if verdict else "at Meta"

        def relevant(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            return [one for one in self.events_about(order, calls) if verdict in (None, one["verdict"])]

        calls = self.probe.wait_for(
            lambda seen: len(relevant(seen)) >= count,
            goal=f"{count} × sale {order.sale_id} {wanted}",
            within_s=limit_s,
        )
        return relevant(calls)

    def pixel(self, event_name: str, event_id: str) -> None:
        """The browser's Pixel tells an event of its own accord, under that id."""
        self.probe.pixel(event_name, event_id)

    def events_under(
        self, event_name: str, event_id: str, calls: Sequence[dict[str, Any]] | None = None
    ) -> list[dict[str, Any]]:
        """All events of that name and id, the browser's and the server's, each with its call under `call`."""
        return [
            TargetObject({**event, "call": call})
            for call in (self.probe.calls() if calls is None else calls)
            for event in call["events"]
            if (event.get("event_name"), event.get("event_id")) == (event_name, event_id)
        ]

    def wait_for_page(self, event_name: str, event_id: str, *, within_s: float | None = None) -> dict[str, Any]:
        """What the target's server told of a page, counted or not: PageView or InitiateCheckout, under its event id."""

        def relevant(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            found = self.events_under(event_name, event_id, calls)
            return [one for one in found if one["call"]["source"] == "server" and one["verdict"] != "refused"]

        calls = self.probe.wait_for(
            lambda seen: bool(relevant(seen)),
            goal=f"a {event_name} under the id {event_id} at Meta",
            within_s=self._pipeline.timings.dispatch_s if within_s is None else within_s,
        )
        return relevant(calls)[0]

    def wait_for_refused_page(self, event_name: str, event_id: str) -> None:
        """Return once the target has tried to tell of a page and Meta did not take it."""
        self.probe.wait_for(
            lambda seen: any(one["verdict"] == "refused" for one in self.events_under(event_name, event_id, seen)),
            goal=f"a {event_name} under the id {event_id} that Meta refused",
            within_s=self._pipeline.timings.dispatch_s,
        )

    def wait_for_calls(
        self, count: int, *, status: int | None = None, within_s: float | None = None
    ) -> list[dict[str, Any]]:
        """At least `count` requests to this pixel, of that status if one is named."""
        limit_s = self._pipeline.timings.dispatch_s if within_s is None else within_s

        def relevant(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            return [one for one in calls if status in (None, one["status"])]

        calls = self.probe.wait_for(
            lambda seen: len(relevant(seen)) >= count,
            goal=f"{count} calls to Meta (status {status or 'any'})",
            within_s=limit_s,
        )
        return relevant(calls)

    def wait_for_change(self, *, within_s: float) -> None:
        """Return when the next call comes, or after that time."""
        calls = self.probe.calls()
        self.probe.calls(after=calls[-1]["seq"] if calls else 0, count=1, wait_s=within_s)

    def counted(self, order: PlacedOrder) -> int:
        """How often Meta has counted an order so far."""
        return len(self.counted_events(order))

    def counted_events(self, order: PlacedOrder) -> list[dict[str, Any]]:
        """The Purchases about an order that Meta has counted so far."""
        return [one for one in self.events_about(order) if one["verdict"] == "counted"]

    def must_count_once(self, order: PlacedOrder) -> None:
        """Meta has counted this sale once, and was told of nothing else about it.

        Asked twice under one event id it counts once by its own rule: a concern, for each request has its cost.

        Raises:
            PromiseBroken: It was counted more than once or not at all, or Meta was told of another event about it.
        """
        about = self.everything_about(order)
        counted = [one for one in about if one["verdict"] == "counted" and one.get("event_name") == "Purchase"]
        if len(counted) != 1:
            raise PromiseBroken(f"Meta must count sale {order.sale_id} once; it counted it {len(counted)} times")
        others = [one for one in about if one.get("event_name") != "Purchase"]
        if others:
            raise PromiseBroken(f"Meta must hear of sale {order.sale_id} alone; {summary(others[0]['call'])}")
        taken = [one for one in about if one["verdict"] != "refused"]
        if len(taken) > 1:
            self._pipeline.concern(
                "Meta was asked to count a sale again under the same event id: it counts it once, and each request "
                "more is paid for with the rate limit of the ad account"
            )

    def seen_nothing_of(self, order: PlacedOrder) -> None:
        """A broken promise if Meta was told of this order at all, under whatever event name."""
        if found := self.everything_about(order):
            raise PromiseBroken(f"Meta was told of sale {order.sale_id}: {summary(found[0]['call'])}")

    def arm(self, fault: str, *, strikes: int | None = None, probability: float = 1.0, **parameters: Any) -> None:
        """Arm a fault for this pixel: so many strikes, then it is over; None: until disarmed."""
        self.probe.arm(fault, strikes=strikes, probability=probability, seed=self._pipeline.info.seed, **parameters)

    def disarm(self) -> None:
        """Meta is well again."""
        self.probe.disarm()

    def expire_token(self) -> None:
        """The tenant's token dies, as after 60 days.

        Not observable where nobody could renew it: the target would ask with it for ever, in other scenarios' time too.
        """
        self._pipeline.target.must_be_able_to("set_meta_token")
        self.probe.set_token(self._token, state="expired", expires_at_s=self._pipeline.info.clock.origin_s - 1)

    def limit_token(self, *, lives_s: int) -> None:
        """The tenant's token ends that long from now; Meta knows it, and the target is told by its action."""
        ends_s = int(self._pipeline.now_s()) + lives_s
        self.probe.set_token(self._token, state="valid", expires_at_s=ends_s)
        given = {
            "tenant": self._tenant.tenant,
            "meta_token": self._token,
            "meta_token_expires_at_s": ends_s,
        }
        self._pipeline.target.act("set_meta_token", **given)

    def wait_for_tokens(self, count: int, *, within_s: float | None = None) -> list[dict[str, Any]]:
        """At least so many tokens that Meta ever gave out for this pixel: `issued_at_s`, `expires_at_s`, `state`."""
        return wait_until(
            self.probe.tokens,
            lambda seen: len(seen) >= count,
            goal=f"{count} tokens for pixel {self.probe.pixel_id} at Meta",
            within_s=self._pipeline.timings.dispatch_s if within_s is None else within_s,
        )

    def issue_token(self) -> str:
        """Meta gives out a new token for the pixel; the old one stays dead. The target does not know of it yet."""
        token = self._token = "EAA" + sha256(self._token)[:60]
        self.probe.set_tokens([token])
        return token

    def renew_token(self) -> str:
        """Meta gives out a new token for the pixel; the old one stays dead. The target learns of it by its action.

        Not observable where the target declares no such action.
        """
        self._pipeline.target.must_be_able_to("set_meta_token")
        token = self.issue_token()
        given = {"tenant": self._tenant.tenant, "meta_token": token, "meta_token_expires_at_s": None}
        self._pipeline.info.control.call("action", name="set_meta_token", input=given)
        return token
