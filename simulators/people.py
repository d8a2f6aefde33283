"""Buyers and orders from a seed (Faker, pt_BR). The same key gives the same person, in every process.

Every e-mail, phone, name and document invented here is a rare canary: found anywhere in a target's tables or
logs, it can only have come from us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """A person who buys."""

    full_name: str
    first_name: str
    last_name: str
    email: str
    """Mixed case on purpose: who hashes without normalising gets another hash."""
    phone_e164: str | None
    """+55, two digits of area code, nine digits; None where the checkout did not ask."""
    document: str
    """A CPF with right check digits."""
    ip_address: str
    user_agent: str
    city: str
    state: str
    zip_code: str
    country: str = "BR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sale, before any vendor has put it into its own words."""

    key: str
    """What the order is a function of: `seed/scenario/number`. Vendors derive their ids from it."""
    buyer: Buyer
    product_id: str
    product_name: str
    amount: Decimal
    """Major units, exact."""
    currency: str
    created_at_s: int
    paid_at_s: int
    tracking: dict[str, str] = field(default_factory=dict)
    """What rode along the checkout link: click_id, fbclid, fbp, fbc, utm_source …; whatever is known."""


# def order(key: str, *, now_s: int, **changes) -> Order  -- built by the module's owner
