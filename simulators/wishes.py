"""What may be asked of the fake gateways' `POST /_golive/send`, and the requests that are made of it."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.gateways import FakeGateway, Webhook, gateway
from simulators.gateways._delivery import Slot, plan
from simulators.gateways._json import with_values
from simulators.gateways._rotation import NoOverlap, Signer, signers
from simulators.gateways._switches import with_switches
from simulators.gateways._tamper import Signing, tamper
from simulators.loopback import check_loopback
from simulators.people import order

MAX_DELIVERIES = 100_000
"""Of one run: copies of events of sales."""
MAX_TWINS = 100
DEFAULT_COMPRESS = 3600.0

_Number = Annotated[int, Field(ge=1, le=MAX_DELIVERIES)]


class Delivery(BaseModel):
    """How often, how fast, in whatever order: as the options of `golive trigger`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    count: _Number = 1
    rate: Annotated[float, Field(gt=0, le=100_000)] | None = None
    burst: _Number = 1
    gap: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    shuffle: bool = False
    twin: Annotated[int, Field(ge=1, le=MAX_TWINS)] = 1
    retries: bool = False
    compress: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Means `retries`."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 32


def _fresh_seed() -> str:
    """As `golive trigger` does without `--seed`, and spelt as it spells the key of its first sale."""
    return f"{secrets.randbelow(10**6)}/trigger/0"


class Send(Delivery):
    """What is asked of `POST /_golive/send`."""

    gateway: str
    event: str
    """Several with commas are told of each sale."""
    dialect: str = "vendor"
    secret: str
    to: str
    seed: str = Field(default_factory=_fresh_seed)
    """The key of the order; of a run's further sales `seed+1`, `seed+2` ... Without one it is a new sale's."""
    at_s: int | None = None
    set: dict[str, Any] = {}
    tracking: dict[str, str] = {}
    tamper: str | None = None
    switches: dict[str, Any] = {}
    old_secret: str | None = None
    another_tenants_secret: str | None = None

    @property
    def events(self) -> tuple[str, ...]:
        """The events of one sale."""
        return tuple(self.event.split(","))

    @property
    def is_run(self) -> bool:
        """Whether it is more than one request, or may become so."""
        told = self.model_fields_set & set(Delivery.model_fields)
        return len(self.events) > 1 or any(getattr(self, name) != _PLAIN[name] for name in told)

    @property
    def with_retries(self) -> bool:
        """Whether what fails comes again."""
        return self.retries or self.compress is not None


_PLAIN: Mapping[str, Any] = Delivery().model_dump()


class Maker:
    """Makes the requests of one wish, each when it is due.

    Raises:
        UnknownName, NotLoopback, BadSwitch, ValueError: what was wished for makes no sense.
    """

    def __init__(self, wish: Send, clock: Callable[[], float]) -> None:
        check_loopback(wish.to)
        self.wish, self._clock = wish, clock
        self._began_s = int(clock()) if wish.at_s is None else wish.at_s
        self._fake: FakeGateway = with_switches(gateway(wish.gateway), wish.switches)
        self._fake.events(wish.dialect)  # raises for a dialect that it does not speak
        self._signers = signers(
            self._fake, dialect=wish.dialect, secret=wish.secret, old_secret=wish.old_secret or None
        )
        if wish.old_secret and wish.tamper:
            raise NoOverlap("tamper and old_secret: one of them; a spoiled request would bear the old signature still.")

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """When what goes out."""
        wish = self.wish
        if wish.count * len(wish.events) * wish.twin > MAX_DELIVERIES:
            raise ValueError(f"At most {MAX_DELIVERIES} deliveries in one run.")
        if len(self._signers) > 1 and wish.count * len(wish.events) < len(self._signers):
            raise NoOverlap(f"{wish.gateway} signs with one secret at a time: with old_secret, count is at least 2.")
        return plan(
            wish.count,
            seed=zlib.crc32(wish.seed.encode()),
            events=len(wish.events),
            rate_per_s=wish.rate,
            burst=wish.burst,
            gap_s=wish.gap,
            shuffle=wish.shuffle,
            copies=wish.twin,
        )

    def __call__(self, slot: Slot, signed_after_s: float) -> Webhook:
        """The request for a slot; a vendor's clock stands still when the wish says what time it is."""
        return self.make(slot, signed_at_s=self.signed_at_s(signed_after_s))

    def signed_at_s(self, signed_after_s: float) -> int:
        """Unix seconds at which a request is signed that is due so long after the run's beginning."""
        return int(self._clock()) if self.wish.at_s is None else self._began_s + int(signed_after_s)

    def make(self, slot: Slot, *, signed_at_s: int) -> Webhook:
        """The request, signed at that time.

        Raises:
            UnknownName, NothingToTamper, ValueError, LookupError: it cannot be made so.
        """
        wish, signer = self.wish, self.signer(slot)
        sale = order(self.key(slot), now_s=self.order_at_s(slot), tracking=wish.tracking)
        signing = Signing(
            gateway=signer.gateway,
            dialect=wish.dialect,
            secret=signer.secret,
            url=wish.to,
            now_s=signed_at_s,
            another_tenants_secret=wish.another_tenants_secret,
        )
        body = signer.gateway.render(
            sale,
            wish.events[slot.event],
            dialect=wish.dialect,
            secret=signer.secret,
            url=wish.to,
            now_s=self.order_at_s(slot),
        )
        sent = signing.sign(with_values(body, wish.set))
        return tamper(wish.tamper, sent, signing) if wish.tamper else sent

    def signer(self, slot: Slot) -> Signer:
        """Whose turn it is."""
        return self._signers[(slot.sale * len(self.wish.events) + slot.event) % len(self._signers)]

    def key(self, slot: Slot) -> str:
        """Of the slot's order."""
        return self.wish.seed if slot.sale == 0 else f"{self.wish.seed}+{slot.sale}"

    def order_at_s(self, slot: Slot) -> int:
        """When the vendor learned of it."""
        return self._began_s + int(slot.at_s)

    def sale_id(self, slot: Slot) -> str:
        """The sale's own id."""
        return self._fake.sale_id(order(self.key(slot), now_s=self.order_at_s(slot)))

    def alone(self, slot: Slot) -> Send:
        """The wish for this one webhook, as if nothing else had been wished for."""
        changes: dict[str, Any] = {
            **_PLAIN,
            "event": self.wish.events[slot.event],
            "seed": self.key(slot),
            "at_s": self.order_at_s(slot),
            "secret": self.signer(slot).secret,
        }
        if len(self._signers) > 1:
            changes["old_secret"] = None
        return self.wish.model_copy(update=changes)


ONE = Slot(at_s=0.0, sale=0, event=0, copies=1)
"""The only webhook of a wish that is no run."""
