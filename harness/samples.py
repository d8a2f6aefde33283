"""Which gateway a scenario is run with that needs some gateway, and not a certain one. Pure.

Most promises are about what comes after the webhook: any gateway will do for them. Such a scenario names the one that
it would like, so that the same target is always judged with the same bytes, and what the gateway must be able to do.
A target that does not speak the liked one is judged with another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from simulators import gateways as fakes
from simulators.people import Order, order

Spoken = tuple[str, str]
"""A gateway and a dialect."""

#: What a webhook of a purchase can hold; every other ability is an event's name.
TOLD = ("email", "phone", "click", "fbclid", "payment_time", "address", "integrity")
_NOW_S = 1_700_000_000
_CLICK = {"click_id": "c-5amp1e", "fbclid": "IwARsampleOfAnAdClick"}


@cache
def abilities(name: str, dialect: str) -> frozenset[str]:
    """What that gateway's webhooks can tell in that dialect: events by our names, and of `TOLD` what they hold."""
    fake = fakes.gateway(name)
    sold = order("sample", now_s=_NOW_S, tracking=_CLICK)
    body = _body(fake, sold, dialect)
    digits = body.replace("-", "").replace(" ", "")
    later = dataclasses.replace(sold, paid_at_s=sold.paid_at_s + 60)
    held = {
        "email": sold.buyer.email in body,
        "phone": str(sold.buyer.phone_e164)[-8:] in digits,
        "click": _CLICK["click_id"] in body,
        "fbclid": _CLICK["fbclid"] in body,
        "payment_time": _body(fake, later, dialect) != body,
        "address": sold.buyer.ip_address in body,
        "integrity": fake.authenticates_body[dialect],
    }
    return frozenset({*fake.events(dialect), *(what for what, there in held.items() if there)})


def _body(fake: fakes.FakeGateway, sold: Order, dialect: str) -> str:
    url = "https://shop.example/webhook"
    return fake.render(sold, "approved", dialect=dialect, secret=url, url=url, now_s=_NOW_S).decode()


def able(spoken: Iterable[Spoken], can: Iterable[str] = ()) -> list[Spoken]:
    """Those that can tell of a purchase, and all of that too."""
    wanted = {"approved", *can}
    return [one for one in spoken if wanted <= abilities(*one)]


def choose(
    spoken: Iterable[Spoken], *, like: Sequence[str], dialect: str | None = None, can: Iterable[str] = ()
) -> list[Spoken]:
    """Every liked gateway (in that dialect), else one other; none if none can what is needed.

    The other is a liked gateway in another dialect, else another gateway in that dialect, else the first, each in the
    order of `spoken`.
    """
    there = able(spoken, can)
    liked = [one for one in there if one[0] in like and dialect in (None, one[1])]
    return liked or sorted(there, key=lambda one: (one[0] not in like, dialect not in (None, one[1])))[:1]


def pairs(gateways: Mapping[str, Sequence[str]], *, rather: str | None = None) -> list[Spoken]:
    """All that a target speaks; with `rather` each gateway once, in that dialect, or in its first."""
    if rather is None:
        return [(name, dialect) for name, dialects in gateways.items() for dialect in dialects]
    return [(name, rather if rather in dialects else dialects[0]) for name, dialects in gateways.items()]


def lacking(can: Iterable[str] = (), *, second: bool = False) -> str:
    """In words, that there is none."""
    told = ", ".join(one.replace("_", " ") for one in sorted(can))
    return f"the target file names no {'second ' if second else ''}gateway{f' that tells {told}' if told else ''}"
