"""What a gateway's webhook means, in one vocabulary: the plan's "universal schema".

Every gateway adapter returns exactly one of four things: a `Purchase` (someone paid), a
`Reversal` (someone was paid back), a `Reinstatement` (that came to nothing), or `Ignored` (a true
message that carries no conversion).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

ReversalKind = Literal["refund", "partial_refund", "chargeback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who paid, in plain text. It lives in memory only, between parsing and hashing.

    `repr` shows nothing of it, so that no log line or traceback can.
    """

    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    """As the gateway wrote it; `country` says how to read a national number."""
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    city: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    zip_code: str | None = field(default=None, repr=False)
    country: str | None = None
    """ISO 3166-1 alpha-2, either case."""
    ip_address: str | None = field(default=None, repr=False)
    """The buyer's own, from the payload; never the webhook connection's."""
    user_agent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What the gateway carried from the landing page to the checkout and back to us."""

    click_id: str | None = None
    """Our own short id, given out by the tracking endpoint (at most 32 characters)."""
    fbclid: str | None = None
    """Case-sensitive."""
    fbc: str | None = None
    fbp: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """Money has been received.

    Units:
        `amount` is in major units (12.50 BRL, 500 JPY) and never negative; 0 is a free order.
        `paid_at_s` is whole seconds since 1970-01-01 UTC: the payment's confirmation. It is None
        where the vendor does not say (Kiwify's plan dialect): then the first receipt counts.
    """

    sale_id: str
    """The sale's own id, never the delivery's: a renewal or an order bump has one of its own."""
    paid_at_s: int | None
    paid_within_s: int = 1
    """How coarse that time is: the payment was within so many seconds from `paid_at_s` (Kiwify tells minutes)."""
    amount: Decimal
    currency: str
    """ISO 4217, upper case."""
    buyer: Buyer
    trail: Trail = Trail()
    product_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """Money went back. No Meta event comes of it; before dispatch it suppresses the purchase."""

    sale_id: str
    kind: ReversalKind
    happened_at_s: int | None = None
    """Whole seconds since 1970-01-01 UTC; None where the vendor does not say: then the receipt counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstatement:
    """A reversal came to nothing: a refund failed, a dispute was won. The seller keeps the money after all."""

    sale_id: str
    kind: Literal["refund", "chargeback"]
    happened_at_s: int | None = None
    """As a reversal's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A genuine message that is no conversion; `reason` holds no personal data."""

    reason: str


Meaning = Purchase | Reversal | Reinstatement | Ignored
