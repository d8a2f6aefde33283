"""The requests of a plan, by number: which gateway or page, which customer, which bytes. Same plan, same bytes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

from load.plan import LoadPlan
from load.schedule import Slot
from simulators import gateways as fakes
from simulators.people import order

#: In the place of a gateway: a page of the customer's site.
SITE = "site"
#: In the place of a gateway: somebody reads the dashboard.
READER = "dashboard"
_KINDS = ("pageview", "click", "pageview", "pageview", "checkout", "pageview", "click", "pageview", "click", "pageview")
_CLICKS = tuple(place for place, kind in enumerate(_KINDS) if kind == "click")
#: So long before the sale was its click told: stored by then, however late either of them is.
_CLICKED_BEFORE_S = 4.0
#: One buyer in so many did not come from an ad.
_WITHOUT_AD = 10


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
    body: bytes | None
    """None: it is only asked for."""


def prepare(plan: LoadPlan, slot: Slot) -> Due:
    """A slot of the schedule as a request."""
    if slot.what == "read":
        return _read(plan, slot)
    if slot.what == "again":
        return replace(_again(plan, slot), number=slot.number)
    return render(plan, slot.number, slot.due_s)


def _read(plan: LoadPlan, slot: Slot) -> Due:
    """Readers take turns; each sees the page of their own customer."""
    return Due(
        number=slot.number,
        due_s=slot.due_s,
        gateway=READER,
        dialect="page",
        tenant=plan.tenants[slot.turn % len(plan.cookies)]["tenant"],
        sale=f"read-{slot.number}",
        path=plan.dashboard_path,
        headers={"Cookie": plan.cookies[slot.turn % len(plan.cookies)], "User-Agent": "Mozilla/5.0"},
        body=None,
    )


def _again(plan: LoadPlan, slot: Slot) -> Due:
    """A vendor's retry: the same bytes and ids; what a vendor signs anew for each attempt (Stripe) is signed anew."""
    return _webhook(plan, slot.turn, slot.due_s, slot.turn, rendered_s=slot.first_due_s)


def render(plan: LoadPlan, number: int, due_s: float) -> Due:
    """The `number`th request of the plan: pages and gateways take turns by the plan's share, and then customers do."""
    pages = int(number * plan.pages)
    if int((number + 1) * plan.pages) > pages:
        return _page(plan, number, due_s, pages)
    return _webhook(plan, number, due_s, number - pages)


def page_turn(plan: LoadPlan, number: int, due_s: float) -> Due:
    """The `number`th page event, where pages are all that is sent."""
    return _page(plan, number, due_s, number)


def _page(plan: LoadPlan, number: int, due_s: float, turn: int) -> Due:
    """What a page tells of a visitor who came from an ad; its event id, or the click's, stands for the sale."""
    kind = _KINDS[turn % len(_KINDS)]
    tenant = plan.tenants[turn // len(_KINDS) % len(plan.tenants)]["tenant"]
    name = f"{plan.seed}-{turn}"
    visit = {
        "event_id": name,
        "click_id": name if kind == "click" else None,
        "url": "https://shop.example.com/oferta",
        **_ad_of(plan, turn),
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


def _ad_of(plan: LoadPlan, turn: int) -> dict[str, str]:
    """What Meta has given the visitor of a page event."""
    return {"fbclid": f"IwAR{plan.seed}-{turn}", "fbp": f"fb.1.{plan.origin_s}000.{turn + 1}"}


def _clicked(plan: LoadPlan, number: int, turn: int, customer: int) -> dict[str, str]:
    """What rides along to the `turn`th sale from the click that led to it, told at this customer's site before.

    Nothing for one buyer in ten, for the first seconds of a run, and where the plan has no pages.
    """
    if not plan.pages or turn % _WITHOUT_AD == _WITHOUT_AD - 1:
        return {}
    earlier = number - math.ceil(_CLICKED_BEFORE_S * max(rate for rate, _ in plan.pieces))
    block = int(earlier * plan.pages) // len(_KINDS) - 1  # a block of pages is one customer's, and customers take turns
    block -= (block - customer) % len(plan.tenants)
    if block * len(_KINDS) < int(plan.first * plan.pages):
        return {}
    click = block * len(_KINDS) + _CLICKS[turn % len(_CLICKS)]
    return {"click_id": f"{plan.seed}-{click}", **_ad_of(plan, click)}


def _webhook(plan: LoadPlan, number: int, due_s: float, turn: int, *, rendered_s: float | None = None) -> Due:
    """Stamped with the moment it is due, so that a long run's signatures are as fresh as a short one's.

    `rendered_s` is when the body was first rendered, where that was earlier.
    """
    name = plan.gateways[turn % len(plan.gateways)]
    place = turn // len(plan.gateways) % len(plan.tenants)
    customer = plan.tenants[place]
    account = customer["gateways"][name]
    path = plan.webhook_path.format(gateway=name, tenant=customer["tenant"])
    fake = fakes.gateway(name)
    told_s = plan.origin_s + int(due_s if rendered_s is None else rendered_s)
    sale = order(f"{plan.seed}/load/{number}", now_s=told_s)
    if came_by := _clicked(plan, number, turn, place):  # who has just clicked has paid since
        sale = replace(sale, tracking=came_by, created_at_s=told_s - 1, paid_at_s=told_s)
    with_account = {"dialect": account["dialect"], "secret": account["secret"], "url": plan.public_url + path}
    body = fake.render(sale, "approved", now_s=told_s, **with_account)
    webhook = fake.sign(body, now_s=plan.origin_s + int(due_s), **with_account)
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
