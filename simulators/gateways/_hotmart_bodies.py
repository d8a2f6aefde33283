"""What stands in a fake Hotmart webhook and depends on no switch: products, payments, commissions, subscriptions, club.

Source: facts/gateways.md sections 1.3 and 1.7 (captured panel tests and one real sale).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from simulators.gateways import _shapes as shapes
from simulators.people import Method, Order

DAY_S = 86_400

COUNTRY_NAMES = {"AR": "Argentina", "BR": "Brasil", "JP": "Japão", "PT": "Portugal", "US": "Estados Unidos"}


def installments(order: Order) -> int:
    """How many; only a card is paid in instalments."""
    if order.method in ("pix", "boleto"):
        return 1
    return 12 if shapes.number(2, "hotmart/installments", order.key) % 3 == 0 else 1


def with_interest(order: Order, count: int) -> Decimal:
    """What the buyer pays in the end [?]: in instalments more than the price, which is what the seller sold for."""
    return order.amount if count == 1 else shapes.percent(order.amount, "119.98", order.currency)


def price(order: Order, amount: Decimal) -> dict[str, Any]:
    """Major units, and the key is `currency_value`."""
    return {"value": shapes.shortest(amount), "currency_value": order.currency}


def payment(order: Order, usual: Method | None, count: int) -> dict[str, Any]:
    """`usual` is how the event's payments are made where the order does not say; None: a card or Pix, by the key."""
    by_card = count > 1 or shapes.number(2, "hotmart/payment", order.key) % 2
    method = order.method or usual or ("card" if by_card else "pix")
    if method == "boleto":
        return {"type": "BILLET", "installments_number": 1}
    if method == "card":
        return {"type": "CREDIT_CARD", "installments_number": count}
    # PIX is in no documented list and in every real Brazilian account.
    pix = shapes.code(shapes.ALNUM, 32, "hotmart/pix", order.key)
    return {
        "type": "PIX",
        "installments_number": 1,
        "pix_qrcode": f"https://pix.example.com/{pix}.png",
        "pix_code": f"00020126580014br.gov.bcb.pix0136{pix}",
        "pix_expiration_date": (order.created_at_s + 2 * DAY_S) * 1000,
    }


def recollected(order: Order, kind: str, *, refused: bool) -> dict[str, str]:
    """Fields of a payment that are known by recollection only [?]: the boleto's, and why a card was refused."""
    if kind == "BILLET":
        number = shapes.code(shapes.DIGITS, 47, "hotmart/billet", order.key)
        return {"billet_url": f"https://boleto.example.com/{number[:12]}", "billet_barcode": number}
    return {"refusal_reason": "Saldo insuficiente"} if refused else {}


def affiliates(order: Order) -> list[dict[str, str]]:
    """The list is there always: with empty texts where nobody brought the buyer."""
    if "affiliate" not in order.partners:
        return [{"affiliate_code": "", "name": ""}]
    code = shapes.code(shapes.UPPER, 9, "hotmart/affiliate", order.product_id)
    return [{"affiliate_code": code, "name": "Afiliada Golive"}]


def commissions(order: Order) -> list[dict[str, Any]]:
    """Hotmart's fee of 9.9 % (rounded to the currency's unit), and what is left for the producer and partners."""
    fee = shapes.percent(order.amount, "9.9", order.currency)
    parts = shapes.shares(order.amount - fee, order.partners, order.currency)
    return [
        {"value": shapes.shortest(share), "source": source.upper(), "currency_value": order.currency}
        for source, share in {"marketplace": fee, **parts}.items()
    ]


def product(order: Order) -> dict[str, Any]:
    """What was bought: never physical."""
    ucode = shapes.uuid4_shaped("hotmart/product", order.product_id)
    short = {**_short_product(order), "ucode": ucode}
    return {
        **short,
        "warranty_date": shapes.iso_z((order.paid_at_s // DAY_S + 7) * DAY_S),
        "support_email": "suporte@produtora.example.com",
        "has_co_production": "coproducer" in order.partners,
        "is_physical_product": False,
        "content": {"has_physical_products": False, "products": [{**short, "is_physical_product": False}]},
    }


def _short_product(order: Order) -> dict[str, Any]:
    return {"id": shapes.number(7, "hotmart/product", order.product_id), "name": order.product_name}


def subscription(order: Order, status: str) -> dict[str, Any]:
    """`data.subscription` of a purchase."""
    return {"status": status, "plan": _plan(order), "subscriber": _subscriber(order)}


def _plan(order: Order) -> dict[str, Any]:
    return {"id": shapes.number(6, "hotmart/plan", order.product_id), "name": "Plano mensal"}


def _subscriber(order: Order) -> dict[str, str]:
    """The subscriber: one buyer's, in every cycle of one product."""
    return {"code": shapes.code(shapes.UPPER, 8, "hotmart/subscriber", order.buyer.identity, order.product_id)}


def checkout_country(order: Order) -> dict[str, str]:
    """Name and ISO code of where the buyer paid."""
    return {"name": COUNTRY_NAMES.get(order.buyer.country, order.buyer.country), "iso": order.buyer.country}


def other_data(order: Order, event: str, now_s: int) -> dict[str, Any]:
    """`data` of the events that are no purchase; as captured (facts 1.7), the abandoned cart [?] as described."""
    user, product = {"name": order.buyer.full_name, "email": order.buyer.email}, _short_product(order)
    bodies: dict[str, dict[str, Any]] = {
        "abandoned": {
            "affiliate": "affiliate" in order.partners,
            "product": product,
            "buyer": {**user, "phone": _national_phone(order)},
            "offer": {"code": shapes.code(shapes.ALNUM, 8, "hotmart/offer", order.product_id).lower()},
            "checkout_country": checkout_country(order),
        },
        "club_first_access": {"product": product, "user": user},
        "club_module_completed": {
            "product": {**product, "id": str(product["id"])},
            "user": user,
            "module": {"id": "0a1b2c", "name": "Módulo 1"},
        },
    }
    return bodies[event] if event in bodies else _subscription_data(order, event, now_s)


def _subscription_data(order: Order, event: str, now_s: int) -> dict[str, Any]:
    """`data` of the events about a subscription: no transaction in any of them."""
    plan, code, product = _plan(order), _subscriber(order), _short_product(order)
    subscriber = {**code, "name": order.buyer.full_name, "email": order.buyer.email}
    next_s, phone = order.paid_at_s + 30 * DAY_S, _national_phone(order)
    bodies: dict[str, dict[str, Any]] = {
        "subscription_canceled": {
            "date_next_charge": next_s * 1000,
            "cancellation_date": now_s * 1000,
            "actual_recurrence_value": shapes.shortest(order.amount),
            "product": product,
            "subscriber": {
                **subscriber,
                "phone": {"dddPhone": "", "phone": "", "dddCell": phone[:2], "cell": phone[2:]},
            },
            "subscription": {"id": shapes.number(8, "hotmart/subscription", order.key), "plan": plan},
        },
        "plan_switched": {
            "switch_plan_date": now_s * 1000,
            "plans": [{**plan, "current": True, "offer": {"key": "abc12345"}}],
            "subscription": {"subscriber_code": code["code"], "status": "ACTIVE", "product": product}
            | {"user": {"email": order.buyer.email}},
        },
        "charge_date_updated": {
            "subscriber": subscriber,
            "subscription": {"product": product, "status": "ACTIVE", "old_charge_day": 5, "new_charge_day": 20}
            | {"date_next_charge": shapes.iso_z(next_s)},
            "plan": {**plan, "offer": {"code": "abc12345"}},
        },
    }
    return bodies[event]


def _national_phone(order: Order) -> str:
    return (order.buyer.phone_e164 or "").removeprefix("+55")
