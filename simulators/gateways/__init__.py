"""The fake payment gateways: one file each, found by their place in this folder.

To add one, put `NAME.py` here with a class `Gateway` that satisfies `FakeGateway`. Nothing else is edited.

A gateway is a pure function of its arguments: the same order, event, dialect, secret, URL and time give the
same bytes. Sending is somebody else's work.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Literal, Protocol

from simulators.people import Order

Outcome = Literal["purchase", "reversal", "reinstatement", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that can happen to an order, as this vendor tells it."""

    name: str
    """Ours, alike for all vendors where the meaning is: approved, renewed, pending, refused, partly_refunded ..."""
    vendor_name: str
    """As the vendor spells it, e.g. PURCHASE_APPROVED, order_approved, 2, payment_intent.succeeded."""
    outcome: Outcome
    """What a right receiver makes of it."""
    partial: bool = False
    """Of a reversal: only a part went back, or it does not say whether all did. The sale stands: nothing is
    suppressed and nothing sent."""
    about: str = ""
    """What happened, in a few words, where the two names do not say it."""
    uncertain: bool = False
    """Whether it is not public that the vendor tells it so ([?] or [!] in the facts)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One signed request, ready to be sent by POST."""

    url: str
    """Where to; with whatever the vendor itself appends to the query (Kiwify: `signature`)."""
    headers: Mapping[str, str] = field(repr=False)
    """Of the vendor's own, in the vendor's spelling; no Host, no Content-Length."""
    body: bytes = field(repr=False)


class FakeGateway(Protocol):
    """One vendor, in each dialect that it speaks."""

    name: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    """Of `plan` and `vendor`."""
    authenticates_body: ClassVar[Mapping[str, bool]]
    """By dialect: whether the scheme would notice a changed byte. False for a static token."""
    checkout_fields: ClassVar[Mapping[str, str]]
    """What the vendor's checkout carries through, by the parameter's own name: which of `Order.tracking` it becomes."""
    does_not_imitate: ClassVar[tuple[str, ...]]
    """What of the real vendor is missing here, in sentences."""

    def events(self, dialect: str) -> Mapping[str, Event]:
        """All events that can be rendered in that dialect, by our name for them."""
        ...

    def sale_id(self, order: Order) -> str:
        """The sale's own id as this vendor writes it; a function of the order's key."""
        ...

    def new_secret(self, seed: str) -> str:
        """A secret or token of the vendor's usual shape; a function of the seed."""
        ...

    def render(self, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> bytes:
        """The body, not yet signed (PerfectPay's vendor body holds its token already).

        Raises:
            UnknownName: no such event in that dialect.
        """
        ...

    def sign(self, body: bytes, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:
        """Any body, signed as the vendor signs."""
        ...


class UnknownName(LookupError):
    """No such gateway, event or dialect; says the nearest and all that are known."""

    def __init__(self, kind: str, name: str, known: Mapping[str, object] | tuple[str, ...], hint: str = "") -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"No {kind} is called {name!r}.{guess} Known: {', '.join(names) or 'none'}.{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def known() -> Mapping[str, FakeGateway]:
    """All fake gateways by name."""
    return {
        module.name: importlib.import_module(f"{__name__}.{module.name}").Gateway()
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    }


def gateway(name: str) -> FakeGateway:
    """The fake gateway of that name, or UnknownName."""
    try:
        return known()[name]
    except KeyError:
        raise UnknownName("gateway", name, known(), f" To add one, create simulators/gateways/{name}.py.") from None


def webhook(fake: FakeGateway, order: Order, event: str, *, dialect: str, secret: str, url: str, now_s: int) -> Webhook:
    """Render and sign in one go: what the vendor would send."""
    body = fake.render(order, event, dialect=dialect, secret=secret, url=url, now_s=now_s)
    return fake.sign(body, dialect=dialect, secret=secret, url=url, now_s=now_s)
