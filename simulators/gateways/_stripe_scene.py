"""One fake Stripe event about one order, and what the objects inside have in common: ids, money, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from simulators.gateways import _shapes as shapes
from simulators.people import Method, Order

# docs.stripe.com/currencies: ISK and UGX are written with two decimals although they have none.
_ZERO_DECIMAL = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMAL = "BHD JOD KWD OMR TND"
_WHOLE_WITH_ZEROS = "ISK UGX"
_METADATA_KEYS, _METADATA_KEY_CHARS, _METADATA_VALUE_CHARS = 50, 40, 500
DAY_S = 86_400
CYCLE_S = 30 * DAY_S

Back = Literal["", "part", "more", "all"]
"""How much of a charge went back so far: nothing, a third, two thirds in two refunds, all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One event about one order: all that its object depends on."""

    order: Order
    type: str
    status: str
    """Of the object inside, by Stripe's word."""
    at_s: int
    """When it happened, in seconds since 1970."""
    method: Method
    back: Back
    livemode: bool
    api_version: str
    intent_has_metadata: bool
    intent_has_email: bool

    @property
    def family(self) -> str:
        """The type without its last word: `charge.dispute`."""
        return self.type.rpartition(".")[0]

    @property
    def happening(self) -> str:
        """The last word of the type: `created`."""
        return self.type.rpartition(".")[2]

    @property
    def amount(self) -> int:
        """All of it, in Stripe's minor units."""
        return minor(self.order)

    @property
    def currency(self) -> str:
        """Lower case, as Stripe writes it."""
        return self.order.currency.lower()

    @property
    def given_back(self) -> int:
        """What went back so far, over all refunds, in minor units."""
        if self.back in ("", "all"):
            return self.amount if self.back else 0
        return shapes.cut(self.amount, 1 if self.back == "part" else 2, unit=unit(self.order.currency))

    @property
    def customer(self) -> str | None:
        """One buyer's, in every cycle; None of whoever buys once."""
        return id_of("cus_", self.order.buyer.identity) if self.order.cycle else None

    @property
    def names_invoices(self) -> bool:
        """Whether intents and charges still point to their invoice: versions before basil (2025-03-31)."""
        return self.api_version < "2025-03-31"


def intent_id(order: Order) -> str:
    """pi_ and 24 letters and digits."""
    return an_id("pi_", order)


def minor(order: Order) -> int:
    """The amount in minor units by Stripe's own list of currencies. ValueError: finer than Stripe can write."""
    currency = order.currency.upper()
    if currency in _ZERO_DECIMAL.split():
        return shapes.minor(order.amount, 0)
    if currency in _THREE_DECIMAL.split():
        if order.amount != order.amount.quantize(Decimal("0.01")):
            raise ValueError(f"Stripe takes two decimals of {currency}, and {order.amount} has more")
        return shapes.minor(order.amount, 3)
    if currency in _WHOLE_WITH_ZEROS.split():
        return shapes.minor(order.amount, 0) * 100
    return shapes.minor(order.amount, 2)


def unit(currency: str) -> int:
    """The smallest amount of that currency that Stripe writes, in its minor units."""
    if currency.upper() in _THREE_DECIMAL.split():
        return 10
    return 100 if currency.upper() in _WHOLE_WITH_ZEROS.split() else 1


def charge_id(scene: Scene) -> str:
    """ch_ of a card, py_ of what is not."""
    return an_id("ch_" if scene.method == "card" else "py_", scene.order)


def tax_ids(order: Order) -> list[dict[str, str]]:
    """CPF or CNPJ."""
    kind = order.buyer.document_type
    return [{"type": f"br_{kind.lower()}", "value": order.buyer.document}] if kind else []


def a_list(items: list[dict[str, Any]]) -> dict[str, Any]:
    """As Stripe wraps several."""
    return {"object": "list", "data": items, "has_more": False, "total_count": len(items)}


def an_id(prefix: str, order: Order, *more: str) -> str:
    """An id of this order's."""
    return prefix + "3" + shapes.code(shapes.ALNUM, 23, "stripe", prefix, order.key, *more)


def id_of(prefix: str, *parts: str) -> str:
    """An id of what outlives an order: a buyer, a product."""
    return prefix + shapes.code(shapes.ALNUM, 14, "stripe", prefix, *parts)


def subscription_id(order: Order) -> str:
    """One buyer's subscription to one product, the same in every cycle."""
    return id_of("sub_1", order.buyer.identity, order.product_id)


def metadata(order: Order) -> dict[str, str]:
    """What the seller's own code put there: all tracking, cut to Stripe's limits (50 keys of 40, values of 500)."""
    pairs = list(order.tracking.items())[:_METADATA_KEYS]
    return {key[:_METADATA_KEY_CHARS]: value[:_METADATA_VALUE_CHARS] for key, value in pairs}
