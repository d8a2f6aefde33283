"""A fake gateway aimed at the target, and the orders that it tells of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.checks import privacy
from harness.records import Delivery
from harness.tenants import GatewayAccount, Tenant
from harness.testing.answers import Answer, Click, sha256
from harness.testing.wire import Exchange
from simulators import gateways as fakes
from simulators.gateways import _tamper as tampering
from simulators.people import Order, canaries
from simulators.people import order as make_order

if TYPE_CHECKING:
    from harness.testing.pipeline import Pipeline


#: The plan names no tracking field: `tracking` at the root is our own addition (docs/contracts.md).
_PLAN_FIELDS = {name: name for name in ("click_id", "fbclid", "fbp", "fbc")}


class Gateway:
    """A fake payment gateway that sends to one tenant of the target."""

    def __init__(self, pipeline: Pipeline, name: str, tenant: Tenant) -> None:
        self._pipeline = pipeline
        self.name = name
        self.tenant = tenant
        self.account: GatewayAccount = tenant.gateways[name]
        self.fake = fakes.gateway(name)

    @property
    def dialect(self) -> str:
        """`plan` or `vendor`."""
        return self.account.dialect

    @property
    def authenticates_body(self) -> bool:
        """Whether this vendor's scheme would notice a changed byte."""
        return self.fake.authenticates_body[self.dialect]

    @property
    def path(self) -> str:
        """The target's path for this gateway and tenant."""
        return self._pipeline.info.target.paths.webhook.format(gateway=self.name, tenant=self.tenant.tenant)

    @property
    def public_url(self) -> str:
        """What the vendor believes it sends to."""
        target = self._pipeline.info.target
        return (target.public_url or target.base_url) + self.path

    def events(self) -> Mapping[str, fakes.Event]:
        """What can happen to an order here, by our names."""
        return self.fake.events(self.dialect)

    def through_checkout(self, params: Mapping[str, str]) -> dict[str, str]:
        """What of a checkout's parameters this vendor carries into its webhooks; what it has no room for is gone."""
        fields = self.fake.checkout_fields if self.dialect == "vendor" else _PLAN_FIELDS
        return {fields[name]: value for name, value in params.items() if name in fields}

    def order(self, *, click: Click | None = None, paid_ago_s: int = 0, **changes: Any) -> PlacedOrder:
        """A new order by a new buyer; with a click, one that came from it.

        It was paid before the run began, unless this scenario saw a visitor come: who clicks now pays now.
        """
        pipeline = self._pipeline
        key = f"{pipeline.info.seed}/{pipeline.scenario}/{self.name}/{pipeline.next_number()}"
        if click is not None:
            changes.setdefault("tracking", {"click_id": click.click_id, "fbclid": click.fbclid, "fbp": click.fbp})
        # A minute before the run's origin: a payment is never confirmed in the receiver's future.
        if pipeline.visited:
            changes.setdefault("created_at_s", int(pipeline.now_s()) - paid_ago_s)
            changes.setdefault("paid_at_s", changes["created_at_s"])
        order = make_order(key, now_s=pipeline.info.clock.origin_s - 60 - paid_ago_s, **changes)
        placed = PlacedOrder(pipeline, self, order)
        pipeline.orders.append(placed)
        return placed


class PlacedOrder:
    """One order, which its gateway may tell of as often and as badly as the scenario wants."""

    def __init__(self, pipeline: Pipeline, gateway: Gateway, order: Order) -> None:
        self._pipeline = pipeline
        self.gateway = gateway
        self.order = order

    @cached_property
    def sale_id(self) -> str:
        """The sale's own id, as the vendor writes it."""
        return self.gateway.fake.sale_id(self.order)

    @cached_property
    def email_hash(self) -> str:
        """What Meta should be given for the e-mail."""
        return sha256(self.order.buyer.email.strip().lower())

    @cached_property
    def phone_hash(self) -> str | None:
        """What Meta should be given for the phone, if there is one."""
        phone = self.order.buyer.phone_e164
        return sha256(re.sub(r"\D", "", phone)) if phone else None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """By which Meta's inbox is searched for this order."""
        return tuple(key for key in (self.email_hash, self.phone_hash) if key)

    @property
    def amount(self) -> Decimal:
        """Major units."""
        return self.order.amount

    def canaries(self) -> list[privacy.Canary]:
        """What of this buyer must never be found in plain text."""
        return [privacy.Canary(kind=kind, text=text) for kind, text in canaries(self.order.buyer).items()]

    def at(self, gateway: Gateway) -> PlacedOrder:
        """The same sale, told by the same vendor to another tenant: same id, same buyer."""
        placed = PlacedOrder(self._pipeline, gateway, self.order)
        self._pipeline.orders.append(placed)
        return placed

    @property
    def product_ids(self) -> frozenset[str]:
        """By what the vendor's webhook calls the product; empty where it tells none."""
        body = self.webhook().body
        root = json.loads(body)
        data = root.get("data", {})
        product = root.get("product") or root.get("Product") or data.get("product") or root
        names = ("product_id", "external_reference", "ucode", *(() if product is root else ("id", "code")))
        found = frozenset(str(product[name]) for name in names if product.get(name))
        # A vendor that puts it elsewhere, in a list of items say, writes the order's own id.
        mine = self.order.product_id
        return found or (frozenset({mine}) if json.dumps(mine).encode() in body else frozenset())

    @property
    def carries_phone(self) -> bool:
        """Whether this vendor's webhook tells the buyer's phone at all."""
        phone = self.order.buyer.phone_e164
        return bool(phone) and str(phone)[-8:].encode() in self.webhook().body.replace(b"-", b"")

    @property
    def carries_email(self) -> bool:
        """Whether this vendor's webhook tells the buyer's e-mail at all."""
        return self.order.buyer.email.encode() in self.webhook().body

    def webhook(self, event: str = "approved", *, secret: str | None = None) -> fakes.Webhook:
        """What the vendor would send now."""
        return fakes.webhook(
            self.gateway.fake,
            self.order,
            event,
            dialect=self.gateway.dialect,
            secret=self.gateway.account.secret if secret is None else secret,
            url=self.gateway.public_url,
            now_s=self._pipeline.info.clock.stamp_s(),
        )

    def _signing(self) -> tampering.Signing:
        return tampering.Signing(
            gateway=self.gateway.fake,
            dialect=self.gateway.dialect,
            secret=self.gateway.account.secret,
            url=self.gateway.public_url,
            now_s=self._pipeline.info.clock.stamp_s(),
            another_tenants_secret=self._another_tenants_secret(),
        )

    def _another_tenants_secret(self) -> str | None:
        """What a second customer of the target, if this scenario has one, signs with."""
        name, mine = self.gateway.name, self.gateway.tenant
        others = (one for one in self._pipeline.tenants if one is not mine and name in one.gateways)
        return next((one.gateways[name].secret for one in others), None)

    def tampered(self, kind: str, event: str = "approved") -> fakes.Webhook:
        """A webhook that somebody, or some middlebox, has been at."""
        return tampering.tamper(kind, self.webhook(event), self._signing())

    def tamperings(self, event: str = "approved") -> Mapping[str, str]:
        """Everything that can be done to this webhook, and the right answer to it: refused, accepted or either."""
        return {kind: self.right_answer(kind) for kind in tampering.TAMPERINGS if self._bites(kind, event)}

    def right_answer(self, kind: str) -> str:
        """What a right receiver does with that tampering: refused, accepted or either."""
        return tampering.expected(kind, self.gateway.name, self.gateway.dialect)

    def _bites(self, kind: str, event: str) -> bool:
        try:
            self.tampered(kind, event)
        except tampering.NothingToTamper:
            return False
        return True

    def must_be_refused(self, kind: str) -> bool:
        """Whether the vendor's own scheme lets a receiver notice that tampering."""
        return self.right_answer(kind) == "refused"

    def without_sale_id(self) -> fakes.Webhook:
        """A rightly signed body from which the sale's own id is missing, wherever it stood."""
        body = _without(json.loads(self.webhook().body), self.sale_id)
        return self._signing().sign(json.dumps(body, ensure_ascii=False).encode())

    def deliver(
        self,
        event: str = "approved",
        *,
        webhook: fakes.Webhook | None = None,
        times: int = 1,
        to: str | None = None,
        via: str | None = None,
    ) -> Answer:
        """Send it (`times` times, one after the other); the last answer.

        `to` is another path of the target, `via` another base URL: a balancer's, a replica's.
        """
        sent = webhook or self.webhook(event)
        answer = Answer(status=None)
        for _ in range(times):
            answer = self._send(event, sent, to, via=via)
        return answer

    def deliver_at_once(self, count: int, event: str = "approved") -> list[Answer]:
        """Send it `count` times in the same moment."""
        sent = self.webhook(event)
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self._send(event, sent, None), range(count)))

    def _send(self, event: str, sent: fakes.Webhook, to: str | None, *, via: str | None = None) -> Answer:
        query = sent.url.partition("?")[2]
        path = to or self.gateway.path
        began_s = self._pipeline.info.clock.now_s()
        pieces = tampering.chunks(sent)
        address = f"{path}?{query}" if query else path
        headers = {"Content-Type": "application/json", **tampering.without_framing(sent)}
        answer = self._pipeline.target.request(
            "POST", address, body=sent.body if pieces is None else iter(pieces), headers=headers, base_url=via
        )
        self._pipeline.last_exchange = Exchange(
            event=event,
            url=(via or self._pipeline.info.target.base_url) + address,
            headers=headers,
            body=sent.body,
            answer=answer,
        )
        wire = hashlib.sha256(f"{path}?{query}\n{sorted(sent.headers.items())}\n".encode() + sent.body).hexdigest()
        spec = self.gateway.events()[event]
        self._pipeline.deliveries.append(
            Delivery(
                scenario=self._pipeline.scenario,
                tenant=self.gateway.tenant.tenant,
                gateway=self.gateway.name,
                dialect=self.gateway.dialect,
                event=event,
                meaning=spec.outcome,
                sale=self.sale_id,
                buyer_keys=self.keys,
                status=answer.status,
                answer_ms=answer.took_ms,
                sent_at_s=began_s,
                wire_sha256=wire,
            )
        )
        return answer


def _without(value: Any, unwanted: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, unwanted) for key, one in value.items() if one != unwanted}
    if isinstance(value, list):
        return [_without(one, unwanted) for one in value]
    return value
