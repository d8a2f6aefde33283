"""What a fake Stripe subscription is made of: invoices, one for each cycle, and the subscription itself."""

from __future__ import annotations

from typing import Any

from simulators.gateways import _shapes as shapes
from simulators.gateways._stripe_scene import (
    CYCLE_S,
    DAY_S,
    Scene,
    a_list,
    an_id,
    charge_id,
    id_of,
    intent_id,
    metadata,
    subscription_id,
    tax_ids,
)


def invoice(scene: Scene) -> dict[str, Any]:
    order, buyer, paid = scene.order, scene.order.buyer, scene.status == "paid"
    cycle = order.cycle or 1
    period = {"start": order.created_at_s, "end": order.created_at_s + CYCLE_S}
    snapshot = {"metadata": metadata(order), "subscription": subscription_id(order)}
    line = {
        "id": an_id("il_", order),
        "object": "line_item",
        "amount": scene.amount,
        "currency": scene.currency,
        "description": f"1 × {order.product_name}",
        "metadata": metadata(order),
        "period": period,
        "quantity": 1,
    }
    invoice = {
        "id": an_id("in_", order),
        "object": "invoice",
        "amount_due": scene.amount,
        "amount_paid": scene.amount if paid else 0,
        "amount_remaining": 0 if paid else scene.amount,
        "attempt_count": 0 if scene.status == "draft" or scene.happening == "finalized" else 1,
        "attempted": paid or scene.happening == "payment_failed",
        "auto_advance": scene.status in {"draft", "open"},
        "billing_reason": "subscription_create" if cycle == 1 else "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": order.created_at_s,
        "currency": scene.currency,
        "customer": scene.customer,
        "customer_email": buyer.email,
        "customer_name": buyer.full_name,
        "customer_phone": buyer.phone_e164,
        "customer_tax_ids": tax_ids(order),
        "lines": a_list([line]),
        "livemode": scene.livemode,
        "metadata": {},
        "next_payment_attempt": scene.at_s + 3 * DAY_S if scene.happening == "payment_failed" else None,
        "number": f"{shapes.code(shapes.UPPER, 8, 'stripe/invoice', buyer.identity)}-{cycle:04}",
        "period_end": period["end"],
        "period_start": period["start"],
        "status": scene.status,
        "status_transitions": {
            "finalized_at": None if scene.status == "draft" else order.created_at_s, "marked_uncollectible_at": None,
            "paid_at": order.paid_at_s if paid else None, "voided_at": scene.at_s if scene.status == "void" else None,
        },
        "subtotal": scene.amount,
        "total": scene.amount,
    }  # fmt: skip
    if not scene.names_invoices:
        return invoice | {"parent": {"subscription_details": snapshot, "type": "subscription_details"}}
    links = {"charge": charge_id(scene) if paid else None, "payment_intent": intent_id(order), "paid": paid}
    return invoice | links | {"subscription": snapshot["subscription"], "subscription_details": snapshot}


def subscription(scene: Scene) -> dict[str, Any]:
    order, ended = scene.order, scene.status == "canceled"
    cycle = order.cycle or 1
    trial = scene.status == "trialing"
    start_s = order.created_at_s - (cycle - 1) * CYCLE_S
    period = {"current_period_start": order.created_at_s, "current_period_end": order.created_at_s + CYCLE_S}
    price = {
        "id": id_of("price_", order.product_id), "object": "price", "currency": scene.currency,
        "product": id_of("prod_", order.product_id), "recurring": {"interval": "month", "interval_count": 1},
        "type": "recurring", "unit_amount": scene.amount,
    }  # fmt: skip
    item = {
        "id": id_of("si_", order.buyer.identity, order.product_id), "object": "subscription_item",
        "created": start_s, "price": price, "quantity": 1, "subscription": subscription_id(order),
    }  # fmt: skip
    subscription = {
        "id": subscription_id(order),
        "object": "subscription",
        "billing_cycle_anchor": start_s,
        "cancel_at_period_end": False,
        "canceled_at": scene.at_s if ended else None,
        "cancellation_details": {
            "comment": None, "feedback": None, "reason": "cancellation_requested" if ended else None,
        },
        "collection_method": "charge_automatically",
        "created": start_s,
        "currency": scene.currency,
        "customer": scene.customer,
        "ended_at": scene.at_s if ended else None,
        "items": a_list([item if scene.names_invoices else item | period]),
        "latest_invoice": an_id("in_", order),
        "livemode": scene.livemode,
        # subscription_data.metadata: of no other object, and not the payment intent's.
        "metadata": metadata(order),
        "pause_collection": None,
        "start_date": start_s,
        "status": scene.status,
        "trial_end": scene.at_s + 3 * DAY_S if trial else None,
        "trial_start": start_s if trial else None,
    }  # fmt: skip
    return subscription | period if scene.names_invoices else subscription
