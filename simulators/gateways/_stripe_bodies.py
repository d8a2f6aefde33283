"""What stands inside a fake Stripe event: payment intents, charges, refunds, sessions; the rest is in its neighbours.

Source: facts/gateways.md section 4; the names of fields and statuses are those of the official SDK's types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulators.gateways import _shapes as shapes
from simulators.gateways import _stripe_billing as billing
from simulators.gateways import _stripe_trouble as trouble
from simulators.gateways._stripe_scene import (
    DAY_S,
    Scene,
    an_id,
    charge_id,
    intent_id,
    metadata,
    subscription_id,
    tax_ids,
    unit,
)
from simulators.people import Method, Order


def data(scene: Scene) -> dict[str, Any]:
    """`data` of the event: the object, and of a change what it was before."""
    before = _previous(scene)
    return {"object": _FAMILIES[scene.family](scene), **({"previous_attributes": before} if before else {})}


_UNPAID = frozenset({"requires_payment_method", "requires_action", "requires_capture", "canceled", "processing"})
# Fields of a payment intent that are null in a plain sale.
_INTENT_NULLS = (
    "application",
    "application_fee_amount",
    "on_behalf_of",
    "payment_method_configuration_details",
    "review",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)


def _intent(scene: Scene) -> dict[str, Any]:
    order, status, failed = scene.order, scene.status, scene.happening == "payment_failed"
    begun = scene.happening not in {"created", "canceled"}
    told_fields = {
        "amount": scene.amount,
        "amount_capturable": scene.amount if status == "requires_capture" else 0,
        "amount_details": {"tip": {}},
        "amount_received": 0 if status in _UNPAID else scene.amount,
        "automatic_payment_methods": None if order.cycle else {"allow_redirects": "always", "enabled": True},
        "canceled_at": scene.at_s if status == "canceled" else None,
        "cancellation_reason": "abandoned" if status == "canceled" else None,
        "capture_method": "manual" if status == "requires_capture" else "automatic_async",
        "client_secret": f"{intent_id(order)}_secret_{shapes.code(shapes.ALNUM, 25, 'stripe/client', order.key)}",
        "confirmation_method": "automatic",
        "created": order.created_at_s,
        "currency": scene.currency,
        "customer": scene.customer,
        "description": _intents_description(order),
        "last_payment_error": _decline(order) if failed else None,
        "latest_charge": charge_id(scene) if begun and status != "requires_action" else None,
        "livemode": scene.livemode,
        "metadata": metadata(order) if scene.intent_has_metadata else {},
        "next_action": _next_action(scene) if status == "requires_action" else None,
        "payment_method": an_id("pm_", order) if begun and not failed else None,
        "payment_method_options": _method_options(scene.method),
        "payment_method_types": [scene.method],
        "processing": {"type": "card"} if status == "processing" and scene.method == "card" else None,
        "receipt_email": order.buyer.email if scene.intent_has_email else None,
        "setup_future_usage": "off_session" if order.cycle else None,
        "status": status,
    }
    if scene.names_invoices:
        told_fields["invoice"] = an_id("in_", order) if order.cycle else None
    # Stripe prints id and object first, the rest by the alphabet.
    rest = dict(sorted((told_fields | dict.fromkeys(_INTENT_NULLS)).items()))
    return {"id": intent_id(order), "object": "payment_intent", **rest}


def _intents_description(order: Order) -> str:
    if order.cycle is None:
        return order.product_name
    return "Subscription creation" if order.cycle == 1 else "Subscription update"


def _method_options(method: Method) -> dict[str, Any]:
    if method == "boleto":
        return {"boleto": {"expires_after_days": 3}}
    if method == "pix":
        return {"pix": {"expires_after_seconds": DAY_S, "expires_at": None}}
    return {"card": {"installments": None, "request_three_d_secure": "automatic"}}


def _next_action(scene: Scene) -> dict[str, Any]:
    order = scene.order
    if scene.happening == "partially_funded":
        short = {"amount_remaining": scene.amount - shapes.cut(scene.amount, 1), "currency": scene.currency}
        return {
            "type": "display_bank_transfer_instructions",
            "display_bank_transfer_instructions": {**short, "type": "eu_bank_transfer"},
        }
    page = f"https://payments.stripe.example.com/{scene.method}/{shapes.code(shapes.ALNUM, 24, 'voucher', order.key)}"
    if scene.method == "boleto":
        number = shapes.code(shapes.DIGITS, 47, "stripe/boleto", order.key)
        voucher = {"expires_at": order.created_at_s + 3 * DAY_S, "hosted_voucher_url": page, "number": number}
        return {"boleto_display_details": {**voucher, "pdf": f"{page}/pdf"}, "type": "boleto_display_details"}
    if scene.method == "pix":
        code = "00020126580014br.gov.bcb.pix" + shapes.code(shapes.UPPER, 30, "stripe/pix", order.key)
        picture = {"image_url_png": f"{page}.png", "image_url_svg": f"{page}.svg"}
        shown = {"data": code, "expires_at": order.created_at_s + DAY_S, "hosted_instructions_url": page, **picture}
        return {"pix_display_qr_code": shown, "type": "pix_display_qr_code"}
    return {"type": "use_stripe_sdk"}


def _charge(scene: Scene) -> dict[str, Any]:
    order, buyer, paid = scene.order, scene.order.buyer, scene.status == "succeeded"
    failed = scene.status == "failed"
    captured = paid and scene.happening != "expired"
    address = {"city": buyer.city, "country": buyer.country, "line1": None, "line2": None}
    address |= {"postal_code": buyer.zip_code, "state": buyer.state}
    charge = {
        "id": charge_id(scene),
        "object": "charge",
        "amount": scene.amount,
        "amount_captured": scene.amount if captured else 0,
        "amount_refunded": scene.given_back,
        "balance_transaction": an_id("txn_", order) if captured else None,
        "billing_details": {
            "address": address, "email": buyer.email, "name": buyer.full_name, "phone": buyer.phone_e164,
            "tax_id": buyer.document or None if scene.method == "boleto" else None,
        },
        "captured": captured,
        "created": order.paid_at_s if scene.happening in {"refunded", "updated", "captured"} else scene.at_s,
        "currency": scene.currency,
        "customer": scene.customer,
        "description": _intents_description(order),
        "disputed": False,
        "failure_code": "card_declined" if failed else None,
        "failure_message": "Your card has insufficient funds." if failed else None,
        "livemode": scene.livemode,
        "metadata": metadata(order) if scene.intent_has_metadata else {},
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": paid,
        "payment_intent": intent_id(order),
        "payment_method": an_id("pm_", order),
        "payment_method_details": _method_details(scene),
        "receipt_email": buyer.email,
        "refunded": scene.back == "all",
        "shipping": None,
        "status": scene.status,
    }  # fmt: skip
    if scene.names_invoices:
        charge["invoice"] = an_id("in_", order) if order.cycle else None
    return charge


def _method_details(scene: Scene) -> dict[str, Any]:
    buyer = scene.order.buyer
    if scene.method == "boleto":
        return {"boleto": {"tax_id": buyer.document}, "type": "boleto"}
    if scene.method == "pix":
        transfer = "E" + shapes.code(shapes.DIGITS, 31, "stripe/pix", scene.order.key)
        return {"pix": {"bank_transaction_id": transfer}, "type": "pix"}
    return {"card": {"brand": "visa", "country": buyer.country, "last4": "4242"}, "type": "card"}


# A boleto cannot be paid backwards: the money goes to a bank account.
_REFUND_TO: Mapping[Method, dict[str, Any]] = {
    "card": {"card": {"type": "refund"}, "type": "card"},
    "pix": {"pix": {}, "type": "pix"},
    "boleto": {"br_bank_transfer": {"reference": None, "reference_status": "pending"}, "type": "br_bank_transfer"},
}


def _refund(scene: Scene) -> dict[str, Any]:
    """One refund: each part of a sale that goes back has its own, and so has the whole."""
    order = scene.order
    amount = scene.amount if scene.back == "all" else shapes.cut(scene.amount, 1, unit=unit(order.currency))
    refund = {
        "id": an_id("re_", order) if scene.back == "all" else an_id("re_", order, scene.back),
        "object": "refund",
        "amount": amount,
        "balance_transaction": an_id("txn_", order),
        "charge": charge_id(scene),
        "created": scene.at_s,
        "currency": scene.currency,
        "destination_details": _REFUND_TO[scene.method],
        "metadata": {},
        "payment_intent": intent_id(order),
        "reason": "requested_by_customer",
        "receipt_number": None,
        "status": scene.status,
    }
    if scene.status == "failed":
        refund |= {
            "failure_balance_transaction": an_id("txn_", order, "failed"),
            "failure_reason": "expired_or_canceled_card",
        }
    return refund


def _session(scene: Scene) -> dict[str, Any]:
    order, buyer, complete = scene.order, scene.order.buyer, scene.status != "expired"
    details = {"email": buyer.email, "name": buyer.full_name, "phone": buyer.phone_e164, "tax_ids": tax_ids(order)}
    number = shapes.code(shapes.ALNUM, 58, "stripe/cs", order.key)
    return {
        "id": f"cs_{'live' if scene.livemode else 'test'}_{number}",
        "object": "checkout.session",
        "amount_subtotal": scene.amount,
        "amount_total": scene.amount,
        "client_reference_id": order.tracking.get("click_id", "")[:200] or None,
        "created": order.created_at_s,
        "currency": scene.currency,
        "customer": scene.customer,
        "customer_details": details if complete else None,
        "customer_email": None if complete else buyer.email,
        "expires_at": order.created_at_s + DAY_S if complete else scene.at_s,
        "invoice": an_id("in_", order) if order.cycle else None,
        "livemode": scene.livemode,
        "metadata": metadata(order),
        "mode": "subscription" if order.cycle else "payment",
        # In subscription mode the session names its subscription, and no payment intent.
        "payment_intent": intent_id(order) if complete and not order.cycle else None,
        "payment_method_types": [scene.method],
        "payment_status": "paid" if scene.status == "paid" else "unpaid",
        "status": "complete" if complete else "expired",
        "subscription": subscription_id(order) if order.cycle else None,
    }


_FAMILIES: Mapping[str, Callable[[Scene], dict[str, Any]]] = {
    "payment_intent": _intent,
    "charge": _charge,
    "refund": _refund,
    "charge.refund": _refund,
    "charge.dispute": trouble.dispute,
    "radar.early_fraud_warning": trouble.fraud_warning,
    "review": trouble.review,
    "checkout.session": _session,
    "invoice": billing.invoice,
    "customer.subscription": billing.subscription,
}


def _previous(scene: Scene) -> dict[str, Any]:
    """`previous_attributes`: only of what was updated."""
    if scene.happening != "updated":
        return {}
    before: dict[str, dict[str, Any]] = {
        "charge": {"balance_transaction": None},
        "refund": {"status": "pending"},
        "charge.refund": {"status": "pending"},
        "charge.dispute": {"evidence_details": {"has_evidence": False}, "status": "needs_response"},
        "radar.early_fraud_warning": {"actionable": True},
        "customer.subscription": {"latest_invoice": an_id("in_", scene.order, "before")},
    }
    return before[scene.family]


def _decline(order: Order) -> dict[str, Any]:
    return {
        "charge": an_id("ch_", order),
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "type": "card_error",
    }
