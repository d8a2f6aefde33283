"""A world of buyers in which it is known whose click was whose: the fixed world by which matching is judged.

Everything is drawn from one seed. Shares, of all buyers:

    15 %  never clicked
    30 %  lost their cookie between the click and the checkout: no click id rides along; a fifth of them keep the fbclid
          that stood in the address
    10 %  share a device with one other buyer: one cookie jar, in which the last click on the device stands, whoever
          made it; a fifth of these pairs share a phone, too
     8 %  pay under another e-mail than they left at the shop; a tenth of them under another phone as well

What is ours to choose, and is chosen so that rules can go wrong: four in ten click more than once; a quarter of the
last clicks are days old, some outside the window; one in ten clicks again after having paid; contacts are left in half
of the landings and in three of four checkouts, a fifth of them without a phone; gateways do not all carry an fbclid, an
e-mail and a phone; three households in a row stand behind one address.

Times are seconds from the beginning of the world.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

DAY_S = 86_400
WINDOW_S = 7 * DAY_S
_SPAN_S = 14 * DAY_S
_HOUSEHOLDS_BEHIND_AN_ADDRESS = 3


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody clicked an ad on a device."""

    at_s: float
    buyer: int
    device: int
    address: int
    click_id: str
    fbclid: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody left themselves at the shop, which knew them by a click id."""

    at_s: float
    buyer: int
    click_id: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Sale:
    """Somebody paid, and this is what the gateway's webhook says."""

    at_s: float
    buyer: int
    click_id: str | None
    fbclid: str | None
    email: str | None
    phone: str | None
    address: int


Event = Click | Contact | Sale


@dataclass(slots=True)
class _Buyer:
    number: int
    device: int
    address: int
    email: str
    phone: str
    clicks: list[Click] = field(default_factory=list)
    paid_at_s: float = 0.0
    lost: bool = False
    keeps_fbclid: bool = False
    pays_as: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class World:
    """What happened, in the order in which it happened, and whose it was."""

    events: Sequence[Event]
    buyers: int

    def own_clicks(self) -> dict[int, list[Click]]:
        """Each buyer's own clicks, oldest first."""
        found: dict[int, list[Click]] = {number: [] for number in range(self.buyers)}
        for event in self.events:
            if isinstance(event, Click):
                found[event.buyer].append(event)
        return found

    def truths(self, window_s: float = WINDOW_S) -> Iterator[Truth]:
        """For each sale what a rule that makes no mistake would find."""
        own, left = self.own_clicks(), self._left()
        for sale in self.events:
            if not isinstance(sale, Sale):
                continue
            inside = [one for one in own[sale.buyer] if sale.at_s - window_s <= one.at_s <= sale.at_s]
            known = [one for one in inside if _leads_to(sale, one, left.get((sale.buyer, one.click_id), ()))]
            yield Truth(
                sale=sale,
                findable=known[-1].click_id if known else None,
                last=inside[-1].click_id if inside else None,
            )

    def _left(self) -> dict[tuple[int, str], list[Contact]]:
        found: dict[tuple[int, str], list[Contact]] = {}
        for event in self.events:
            if isinstance(event, Contact):
                found.setdefault((event.buyer, event.click_id), []).append(event)
        return found


@dataclass(frozen=True, slots=True)
class Truth:
    """A sale and its buyer's own clicks inside the window."""

    sale: Sale
    findable: str | None
    """The last of them to which an identifier of the sale still leads: its click id, its fbclid, or an e-mail or phone
    that the buyer had left on it."""
    last: str | None
    """The very last of them, found or not."""


def _leads_to(sale: Sale, click: Click, left: Sequence[Contact]) -> bool:
    return (
        sale.click_id == click.click_id
        or sale.fbclid == click.fbclid
        or any(
            one.at_s <= sale.at_s
            and ((sale.email and sale.email == one.email) or (sale.phone and sale.phone == one.phone))
            for one in left
        )
    )


def make(seed: int, *, buyers: int) -> World:
    """The world of that seed."""
    draw = random.Random(f"matching/{seed}")
    people = _people(draw, buyers)
    for one in people:
        _live(draw, one)
    events: list[Event] = [click for one in people for click in one.clicks]
    by_device: dict[int, list[Click]] = {}
    for click in sorted(events, key=lambda one: one.at_s):
        by_device.setdefault(click.device, []).append(click)  # type: ignore[arg-type]  # so far there are clicks only
    for one in people:
        events += _landings(draw, one)
        events += _checkout(draw, one, by_device.get(one.device, []))
    order = {Click: 0, Contact: 1, Sale: 2}
    return World(sorted(events, key=lambda event: (event.at_s, order[type(event)], event.buyer)), buyers)


def _people(draw: random.Random, count: int) -> list[_Buyer]:
    people = [
        _Buyer(
            number=number,
            device=number,
            address=number // _HOUSEHOLDS_BEHIND_AN_ADDRESS,
            email=f"b{number}@example.com",
            phone=f"11{900_000_000 + number}",
        )
        for number in range(count)
    ]
    sharing = draw.sample(people, count // 10 // 2 * 2)
    for one, other in zip(sharing[::2], sharing[1::2], strict=True):
        other.device, other.address = one.device, one.address
        if draw.random() < 0.2:
            other.phone = one.phone
    return people


def _live(draw: random.Random, one: _Buyer) -> None:
    """Draw what one buyer does."""
    one.paid_at_s = WINDOW_S * 2 + draw.random() * _SPAN_S
    one.lost = draw.random() < 0.30
    one.keeps_fbclid = one.lost and draw.random() < 0.2
    one.pays_as = (one.email, one.phone)
    if draw.random() < 0.08:
        other_phone = f"21{900_000_000 + one.number}" if draw.random() < 0.1 else one.phone
        one.pays_as = (f"other.b{one.number}@example.org", other_phone)
    if draw.random() < 0.15:
        return
    at_s = one.paid_at_s - _before_payment_s(draw)
    times = [at_s]
    while draw.random() < 0.4 and len(times) < 4:
        at_s -= draw.expovariate(1 / (2 * DAY_S))
        times.append(at_s)
    if draw.random() < 0.1:
        times.append(one.paid_at_s + draw.uniform(60, 2 * DAY_S))
    for number, when_s in enumerate(sorted(max(0.0, time_s) for time_s in times)):
        name = f"c{one.number}-{number}"
        one.clicks.append(
            Click(when_s, one.number, one.device, one.address, name, f"IwAR{one.number:08d}x{number:08d}")
        )


def _before_payment_s(draw: random.Random) -> float:
    """Most buy while they are there; a quarter come back another day."""
    if draw.random() < 0.25:
        return draw.expovariate(1 / (2.5 * DAY_S)) + 600
    return max(60.0, draw.lognormvariate(7.1, 0.9))  # median 20 minutes


def _told(draw: random.Random, one: _Buyer) -> tuple[str | None, str | None]:
    return one.email, one.phone if draw.random() < 0.8 else None


def _landings(draw: random.Random, one: _Buyer) -> list[Contact]:
    """Half of the landings ask who it is, and know the click that has just been made."""
    found = []
    for click in one.clicks:
        at_s = click.at_s + draw.uniform(10, 50)
        if draw.random() < 0.5:
            found.append(Contact(at_s, one.number, click.click_id, *_told(draw, one)))
    return found


def _checkout(draw: random.Random, one: _Buyer, on_device: Sequence[Click]) -> list[Event]:
    """The shop's own checkout page, and the payment; both know the click that the device's cookie holds."""
    begun_s = one.paid_at_s - 5
    cookie = next((click for click in reversed(on_device) if click.at_s <= begun_s), None)
    found: list[Event] = []
    if cookie and not one.lost and draw.random() < 0.75:
        found.append(Contact(begun_s, one.number, cookie.click_id, *_told(draw, one)))
    gateway = draw.choice(("hotmart", "kiwify", "perfectpay", "stripe"))
    email, phone = one.pays_as
    found.append(
        Sale(
            one.paid_at_s,
            one.number,
            cookie.click_id if cookie and not one.lost else None,
            cookie.fbclid if cookie and gateway != "kiwify" and (not one.lost or one.keeps_fbclid) else None,
            None if gateway == "stripe" and draw.random() < 0.1 else email,
            None if draw.random() < {"stripe": 0.5, "hotmart": 0.15}.get(gateway, 0.0) else phone,
            one.address,
        )
    )
    return found
