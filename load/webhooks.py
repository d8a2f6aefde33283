"""The requests of a plan, by number: which gateway or page, which customer, which bytes. Same plan, same bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from load.plan import LoadPlan
from simulators import gateways as fakes
from simulators.people import order

#: In the place of a gateway: a page of the customer's site.
SITE = "site"
_KINDS = ("pageview", "click", "pageview", "pageview", "checkout", "pageview", "click", "pageview", "click", "pageview")


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
    """The `number`th request of the plan: pages and gateways take turns by the plan's share, and then customers do."""
    pages = int(number * plan.pages)
    if int((number + 1) * plan.pages) > pages:
        return _page(plan, number, due_s, pages)
    return _webhook(plan, number, due_s, number - pages)


def _page(plan: LoadPlan, number: int, due_s: float, turn: int) -> Due:
    """What a page tells of a visitor who came from an ad; its event id, or the click's, stands for the sale."""
    kind = _KINDS[turn % len(_KINDS)]
    tenant = plan.tenants[turn // len(_KINDS) % len(plan.tenants)]["tenant"]
    name = f"{plan.seed}-{number}"
    visit = {
        "event_id": name,
        "click_id": name if kind == "click" else None,
        "url": "https://shop.example.com/oferta",
        "fbclid": f"IwAR{name}",
        "fbp": f"fb.1.{plan.origin_s}000.{number + 1}",
        "consent": "granted",
    }
    return Due(
        number=number,
        due_s=due_s,
        gateway=SITE,
        dialect=kind,
        tenant=tenant,
        sale=name,
        path=plan.page_paths[kind].format(tenant=tenant),
        headers={"Content-Type": "application/json", "User-Agent": "Mozilla/5.0"},
        body=json.dumps(visit).encode(),
    )


def _webhook(plan: LoadPlan, number: int, due_s: float, turn: int) -> Due:
    """Stamped with the moment it is due, so that a long run's signatures are as fresh as a short one's."""
    name = plan.gateways[turn % len(plan.gateways)]
    customer = plan.tenants[turn // len(plan.gateways) % len(plan.tenants)]
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
