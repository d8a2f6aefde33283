"""What goes wrong with a fake Stripe charge afterwards: disputes, early fraud warnings, reviews."""

from __future__ import annotations

from typing import Any

from simulators.gateways._stripe_scene import DAY_S, Scene, an_id, charge_id, intent_id


def dispute(scene: Scene) -> dict[str, Any]:
    order, over = scene.order, scene.happening in {"closed", "funds_reinstated"}
    inquiry = scene.status.startswith("warning_")
    evidence = {"due_by": None if over else scene.at_s + 7 * DAY_S, "past_due": False}
    evidence |= {"has_evidence": scene.status in {"under_review", "won"}, "submission_count": 0}
    return {
        "id": an_id("du_", order),
        "object": "dispute",
        "amount": scene.amount,
        "balance_transactions": _dispute_bookings(scene),
        "charge": charge_id(scene),
        "created": scene.at_s,
        "currency": scene.currency,
        "evidence_details": evidence,
        "is_charge_refundable": inquiry,
        "livemode": scene.livemode,
        "metadata": {},
        "payment_intent": intent_id(order),
        "reason": "fraudulent",
        "status": scene.status,
    }


def _dispute_bookings(scene: Scene) -> list[dict[str, Any]]:
    """What was taken from the seller, and given back if that is what happened."""
    moves = {"funds_withdrawn": (-1,), "funds_reinstated": (-1, 1)}.get(scene.happening, ())
    return [
        {
            "id": an_id("txn_", scene.order, "dispute", str(sign)),
            "object": "balance_transaction",
            "amount": sign * scene.amount,
            "currency": scene.currency,
            "reporting_category": "dispute" if sign < 0 else "dispute_reversal",
            "type": "adjustment",
        }
        for sign in moves
    ]


def fraud_warning(scene: Scene) -> dict[str, Any]:
    return {
        "id": an_id("issfr_", scene.order),
        "object": "radar.early_fraud_warning",
        "actionable": scene.happening == "created",
        "charge": charge_id(scene),
        "created": scene.at_s,
        "fraud_type": "made_with_stolen_card",
        "livemode": scene.livemode,
        "payment_intent": intent_id(scene.order),
    }


def review(scene: Scene) -> dict[str, Any]:
    still_open = scene.happening == "opened"
    return {
        "id": an_id("prv_", scene.order),
        "object": "review",
        "billing_zip": None,
        "charge": charge_id(scene),
        "closed_reason": None if still_open else "approved",
        "created": scene.at_s,
        "ip_address": scene.order.buyer.ip_address,
        "livemode": scene.livemode,
        "open": still_open,
        "opened_reason": "rule",
        "payment_intent": intent_id(scene.order),
        "reason": "rule" if still_open else "approved",
    }
