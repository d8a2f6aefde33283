"""What stands in a fake Kiwify order: product, customer, payment, commissions, subscription.

Source: facts/gateways.md section 2.3.
"""

from __future__ import annotations

from typing import Any

from simulators.gateways import _shapes as shapes
from simulators.people import Order

_MONTH_S = 30 * 86_400


def product(order: Order) -> dict[str, str]:
    """Id and name."""
    return {"product_id": shapes.uuid4_shaped("kiwify/product", order.product_id), "product_name": order.product_name}


def checkout_link(order: Order) -> str:
    """The short code of the page where it was bought."""
    return shapes.code(shapes.ALNUM, 7, "kiwify/checkout", order.product_id)


def payment(order: Order, utc_offset_s: int, *, refused: bool) -> dict[str, Any]:
    """All keys of all methods; null in those of the other methods."""
    card, pix, boleto = (order.method == method for method in ("card", "pix", "boleto"))
    boleto_ends = shapes.naive(order.created_at_s + 3 * 86_400, utc_offset_s, "%Y-%m-%d")
    pix_ends = shapes.naive(order.created_at_s + 86_400, utc_offset_s, "%Y-%m-%d %H:%M")
    return {
        "card_type": "mastercard" if card else None,
        "card_last4digits": shapes.code(shapes.DIGITS, 4, "kiwify/card", order.key) if card else None,
        "card_rejection_reason": "insufficient_funds" if refused else None,
        "boleto_URL": "https://boleto.example.com/" + shapes.code(shapes.ALNUM, 12, order.key) if boleto else None,
        "boleto_barcode": shapes.code(shapes.DIGITS, 47, "kiwify/boleto", order.key) if boleto else None,
        "boleto_expiry_date": boleto_ends if boleto else None,
        "pix_code": "00020126580014br.gov.bcb.pix" + shapes.code(shapes.UPPER, 30, order.key) if pix else None,
        "pix_expiration": pix_ends if pix else None,
    }


def customer(order: Order, company_field: str) -> dict[str, Any]:
    """A company's document stands under `company_field`; whoever is from abroad has a CPF of null."""
    buyer = order.buyer
    document_field = company_field if buyer.document_type == "CNPJ" else "CPF"
    return {
        "full_name": buyer.full_name,
        "first_name": buyer.first_name,
        "email": buyer.email,
        "mobile": buyer.phone_e164,
        document_field: buyer.document or None,
        "ip": buyer.ip_address,
        "country": buyer.country.lower(),
        # A digital sale asks for no street.
        "street": None,
        "number": None,
        "complement": None,
        "neighborhood": None,
        "city": buyer.city,
        "state": buyer.state,
        "zipcode": buyer.zip_code,
    }


def commissions(order: Order, *, paid: bool, as_text: bool) -> dict[str, Any]:
    """Whole cents of the currency; the fee is Kiwify's 8.99 % and 2.49, rounded half up, never above the charge."""
    charge = shapes.minor(order.amount, 2)
    fee = min(charge, (charge * 899 + 5_000) // 10_000 + 249)
    parts = {who: _share(charge - fee, who) for who in order.partners}
    mine = charge - fee - sum(parts.values())
    stores = {"producer": mine} | {str(who): value for who, value in parts.items()}

    def cents(amount: int) -> int | str:
        return str(amount) if as_text else amount

    return {
        "charge_amount": cents(charge),
        "product_base_price": cents(charge),
        "product_base_price_currency": order.currency,
        "kiwify_fee": cents(fee),
        "kiwify_fee_currency": order.currency,
        "settlement_amount": cents(charge),
        "settlement_amount_currency": order.currency,
        "sale_tax_rate": 0,
        "sale_tax_amount": cents(0),
        "commissioned_stores": [_store(order, who, cents(value)) for who, value in stores.items()],
        "currency": order.currency,
        "my_commission": cents(mine),
        "funds_status": "waiting" if paid else None,
        "estimated_deposit_date": None,
        "deposit_date": None,
    }


def _share(net: int, partner: str) -> int:
    """A partner's cents of what Kiwify left over, rounded down."""
    return net * int(shapes.PARTNERS_PERCENT[partner]) // 100


def _store(order: Order, who: str, value: int | str) -> dict[str, Any]:
    """One of those who share; every type but `producer` is a guess."""
    names = {"producer": "Produtora Golive", "affiliate": "Afiliada Golive", "coproducer": "Coprodutora Golive"}
    suffix = () if who == "producer" else (who,)
    return {
        "id": shapes.uuid4_shaped("kiwify/commissioned-store", *suffix),
        "type": who,
        "custom_name": names[who],
        "email": f"{names[who].split()[0].lower()}@loja.example.com",
        "value": value,
        "commissionId": shapes.uuid4_shaped("kiwify/commission", order.key, *suffix),
    }


def subscription(order: Order, status: str) -> dict[str, Any]:
    """One buyer's subscription to one product, the same in every cycle; its dates are UTC with milliseconds."""
    who = (order.buyer.identity, order.product_id)
    cycle = order.cycle or 1
    start_s = order.paid_at_s - (cycle - 1) * _MONTH_S
    return {
        "id": shapes.uuid4_shaped("kiwify/subscription", *who),
        "start_date": shapes.naive(start_s, 0, "%Y-%m-%dT%H:%M:%S.000Z"),
        "next_payment": shapes.naive(start_s + cycle * _MONTH_S, 0, "%Y-%m-%dT%H:%M:%S.000Z"),
        "status": status,
        "plan": {
            "id": shapes.uuid4_shaped("kiwify/plan", order.product_id),
            "name": "Plano mensal",
            "frequency": "monthly",
            "qty_charges": 0,
        },
        "charges": {"completed": [], "future": []},
    }
