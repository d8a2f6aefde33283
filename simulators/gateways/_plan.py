"""What the plan's own dialect has in common for all gateways: one signature, one way to carry tracking.

Sources: mission.md ("The plan's own payloads"), decisions.md ("Gateways"), docs/contracts.md.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from simulators.gateways import Event, UnknownName, Webhook
from simulators.gateways._json import compact
from simulators.gateways._shapes import exponent, fixed
from simulators.people import Order


def sign(body: bytes, *, secret: str, url: str) -> Webhook:
    """`X-Signature: sha256=<lower-case hex of HMAC-SHA256(secret, raw body)>`."""
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Webhook(url=url, headers={"Content-Type": "application/json", "X-Signature": f"sha256={mac}"}, body=body)


def render(order: Order, fields: Mapping[str, Any]) -> bytes:
    """The plan's fields, and `tracking` at the root when anything is known (our addition: contracts.md)."""
    tracking = {"tracking": order.tracking} if order.tracking else {}
    return compact({**fields, **tracking})


def amount(order: Order) -> Any:
    """The plan writes two decimals, `99.90`; a finer amount keeps all that it has, a coarser currency none."""
    decimals = -int(order.amount.as_tuple().exponent)
    return fixed(order.amount, max(exponent(order.currency), decimals))


def contact(order: Order) -> dict[str, str | None]:
    """`{"email", "phone"}`, the phone in E.164."""
    return {"email": order.buyer.email, "phone": order.buyer.phone_e164}


def event_named(name: str, events: Mapping[str, Event], *, gateway: str, dialect: str) -> Event:
    """The event of that name, or UnknownName with what this dialect knows."""
    try:
        return events[name]
    except KeyError:
        raise UnknownName(f"{gateway} event in the {dialect} dialect", name, events) from None


def check_dialect(dialect: str, known: tuple[str, ...], *, gateway: str) -> None:
    """Return if the gateway speaks it, else raise UnknownName."""
    if dialect not in known:
        raise UnknownName(f"{gateway} dialect", dialect, known)
