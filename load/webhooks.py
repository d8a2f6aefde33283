"""The webhooks of a plan, by number: which gateway, which customer, which bytes. Same plan, same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from load.plan import LoadPlan
from simulators import gateways as fakes
from simulators.people import order


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One request, ready to be sent."""

    number: int
    due_s: float
    """From the start of the run."""
    gateway: str
    dialect: str
    tenant: str
    sale: str
    path: str
    headers: dict[str, str]
    body: bytes


def render(plan: LoadPlan, number: int, due_s: float) -> Due:
    """The `number`th request of the plan: gateways take turns, and then customers do.

    It is stamped with the moment it is due, so that a long run's signatures are as fresh as a short one's.
    """
    name = plan.gateways[number % len(plan.gateways)]
    customer = plan.tenants[number // len(plan.gateways) % len(plan.tenants)]
    account = customer["gateways"][name]
    path = plan.webhook_path.format(gateway=name, tenant=customer["tenant"])
    fake = fakes.gateway(name)
    now_s = plan.origin_s + int(due_s)
    sale = order(f"{plan.seed}/load/{number}", now_s=now_s)
    webhook = fakes.webhook(
        fake,
        sale,
        "approved",
        dialect=account["dialect"],
        secret=account["secret"],
        url=plan.public_url + path,
        now_s=now_s,
    )
    query = webhook.url.partition("?")[2]
    return Due(
        number=number,
        due_s=due_s,
        gateway=name,
        dialect=account["dialect"],
        tenant=customer["tenant"],
        sale=fake.sale_id(sale),
        path=f"{path}?{query}" if query else path,
        headers=dict(webhook.headers),
        body=webhook.body,
    )
