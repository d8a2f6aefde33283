"""What stands in a fake PerfectPay postback besides the sale itself: payment, product, customer, metadata, shares.

Source: facts/gateways.md sections 3.2, 3.4 and 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.gateways import UnknownName
from simulators.gateways import _shapes as shapes
from simulators.people import Order

OWNER = "PPA" + shapes.code(shapes.UPPER, 6, "perfectpay/owner")
_CURRENCIES = {"BRL": 1, "USD": 2, "EUR": 3}
_METADATA = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "ttclid", "ref")
_DAY_S = 86_400


def enum(field: str, number: int | None, key: str | None) -> dict[str, Any]:
    """PerfectPay's pair of a number and the word for it."""
    return {f"{field}_enum": number, f"{field}_enum_key": key}


def without_enum_keys(value: Any) -> Any:
    """The same without the words, at every depth."""
    if isinstance(value, dict):
        return {key: without_enum_keys(one) for key, one in value.items() if not key.endswith("_enum_key")}
    return [without_enum_keys(one) for one in value] if isinstance(value, list) else value


def currency(order: Order) -> tuple[int, str]:
    """Number and key. UnknownName: PerfectPay has no number for it."""
    try:
        return _CURRENCIES[order.currency], order.currency
    except KeyError:
        raise UnknownName("PerfectPay currency", order.currency, _CURRENCIES) from None


def payment(order: Order, *, upsell: bool, boleto_key: str) -> dict[str, Any]:
    """Method and type of payment; a free order has words of its own for both."""
    if not order.amount:
        return enum("payment_method", 8, "free_price") | enum("payment_type", 5, "free_price")
    if order.method == "pix":
        return enum("payment_method", 0, "none") | enum("payment_type", 7, "pix")
    if order.method == "boleto":
        return enum("payment_method", 2, "bolbradesco") | enum("payment_type", 2, boleto_key)
    kind = (6, "credit_card_upsell") if upsell else (1, "credit_card")
    return enum("payment_method", 1, "visa") | enum("payment_type", *kind)


def product(order: Order) -> dict[str, Any]:
    """What was bought."""
    return {
        "code": "PPPB" + shapes.code(shapes.UPPER, 4, "perfectpay/product", order.product_id),
        "name": order.product_name,
        "external_reference": order.product_id,
        "guarantee": 7,
    }


def bought_plan(order: Order) -> dict[str, Any]:
    """The offer that it was bought by."""
    plan_code = "PPLQ" + shapes.code(shapes.UPPER, 5, "perfectpay/plan", order.product_id)
    return {"code": plan_code, "name": "Plano único", "quantity": 1, "tax_code": None}


def customer(order: Order, *, company_type: tuple[int, str], plus: str) -> dict[str, Any]:
    """The buyer; `plus` stands before the number with its country code."""
    buyer = order.buyer
    digits = (buyer.phone_e164 or "").removeprefix("+")
    national = digits.removeprefix("55") if digits.startswith("55") else digits
    cut = 2 if digits.startswith("55") else 0  # of a foreign number nobody knows where its area code ends
    formatted = f"({national[:2]}) {national[2:-4]}-{national[-4:]}" if cut else national
    known = bool(digits)
    return {
        **enum("customer_type", *(company_type if buyer.document_type == "CNPJ" else (1, "personal"))),
        "full_name": buyer.full_name,
        "email": buyer.email,
        "identification_type": buyer.document_type or None,
        "identification_number": buyer.document or None,
        "birthday": None,
        "date_birth": None,
        "phone_extension": "55" if cut else None,
        "phone_area_code": national[:cut] if cut else None,
        "phone_number": national[cut:] if known else None,
        "phone_formated": formatted if known else None,
        "phone_formated_ddi": f"{plus}{'55 ' if cut else ''}{formatted}" if known else None,
        "ip": buyer.ip_address,
        "user_agent": buyer.user_agent,
        # A digital sale asks for no street.
        **dict.fromkeys(("street_name", "street_number", "district", "complement"), ""),
        "zip_code": buyer.zip_code,
        "city": buyer.city,
        "state": buyer.state,
        "country": buyer.country,
    }


def metadata(order: Order, *, everything: bool) -> dict[str, str | None]:
    """`src` brings the click id back and `sck` the fbclid (contracts.md), or what the link itself had there.

    `_fbp`, `_fbc` and `utm_perfect` are there only when they are known; so is whatever else, if `everything` passes.
    """
    known = order.tracking
    found: dict[str, str | None] = {
        "src": known.get("click_id") or known.get("src"),
        "sck": known.get("fbclid") or known.get("sck"),
    }
    found |= {key: known.get(key) for key in _METADATA}
    found |= {f"_{key}": known[key] for key in ("fbp", "fbc") if key in known}
    if "utm_perfect" in known:
        found["utm_perfect"] = known["utm_perfect"]
    return {**known, **found} if everything else found


def commission(order: Order, partner_types: Mapping[str, int]) -> list[dict[str, Any]]:
    """The platform's 6.9 % (rounded to the currency's unit), and what is left for the producer and partners."""
    fee = shapes.percent(order.amount, "6.9", order.currency)
    parts = shapes.shares(order.amount - fee, order.partners, order.currency)
    of_currency = enum("currency", *currency(order))
    shared = [
        _partner(who, {"producer": 1, **partner_types}[who])
        | {"commission_amount": shapes.shortest(share), **of_currency}
        for who, share in parts.items()
    ]
    platform = {**enum("affiliation_type", 0, "platform"), "commission_amount": shapes.shortest(fee), **of_currency}
    return [*shared, platform]


def _partner(who: str, number: int) -> dict[str, Any]:
    names = {"producer": "Produtora Golive", "affiliate": "Afiliada Golive", "coproducer": "Coprodutora Golive"}
    return {
        "affiliation_code": OWNER if who == "producer" else "PPA" + shapes.code(shapes.UPPER, 6, "perfectpay", who),
        **enum("affiliation_type", number, who),
        "name": names[who],
        "email": f"{names[who].split()[0].lower()}@loja.example.com",
        "identification_number": "00000000000191",
    }


def subscription(order: Order) -> dict[str, Any]:
    """One buyer's subscription to one plan; it is charged at midnight of Brasília, written as UTC."""
    midnight_s = (order.paid_at_s // _DAY_S + 30) * _DAY_S - shapes.BRASILIA_UTC_OFFSET_S
    who, cycle = (order.buyer.identity, order.product_id), order.cycle or 1
    return {
        "code": "PPSUB" + shapes.code(shapes.UPPER, 8, "perfectpay/subscription", *who),
        "charges_made": cycle,
        "next_charge_date": shapes.naive(midnight_s, 0, "%Y-%m-%dT%H:%M:%S.000000Z"),
        "subscription_status_enum": 2,
        "status": "active",
        "status_event": "subscription_started" if cycle == 1 else "subscription_renewed",
    }
