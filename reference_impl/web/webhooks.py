"""`POST /api/v1/webhooks/{gateway}/{tenant}`: raw bytes, signature, meaning, one transaction, 202.

The order is the promise. Nothing is parsed before the sender is known (PerfectPay alone proves itself inside the
body), nothing is stored in plain text, and nothing is answered before it is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from reference_impl.db import conversions, tenants
from reference_impl.db.conversions import Arrived, Draft
from reference_impl.domain.conversion import Ignored, Purchase, Reversal
from reference_impl.domain.hashing import hash_buyer
from reference_impl.gateways import (
    Adapter,
    BadSignature,
    MalformedBody,
    RawDelivery,
    SchemaMismatch,
    UnknownGateway,
    adapter,
)
from reference_impl.gateways import (
    known as known_gateways,
)
from reference_impl.secrets import GatewaySecrets
from reference_impl.web import bodies
from reference_impl.web.answers import Received
from reference_impl.web.database import Database
from reference_impl.web.errors import Refused
from reference_impl.web.openapi import documented, refusals

log = logging.getLogger(__name__)


def blueprint(*, database: Database, secrets: GatewaySecrets, now_s: Callable[[], float], window_s: int) -> Blueprint:
    """The webhook's route over its collaborators."""
    routes = Blueprint("webhooks", __name__)

    @routes.post("/api/v1/webhooks/<gateway>/<tenant>")
    @documented(
        "A gateway tells of a sale",
        takes={"type": "object", "description": "The vendor's own body, byte for byte as it was signed."},
        where={"gateway": {"type": "string", "enum": sorted(known_gateways())}},
        headers={
            "X-Signature": "The plan's dialect: sha256=… over the raw body.",
            "Stripe-Signature": "Stripe's own.",
            "X-Hotmart-Hottok": "Hotmart's own dialect.",
        },
        query={"signature": "Kiwify's own dialect."},
        answers={202: Received, **refusals(400, 401, 404, 413, 415, 422, 503)},
    )
    def receive(gateway: str, tenant: str) -> ResponseReturnValue:
        _want_json()
        body = bodies.raw()
        known = _adapter(gateway)
        with database.connection() as connection:
            account = tenants.account(connection, tenant, gateway)
        if account is None:
            raise Refused(404, "unknown_tenant", "There is no such tenant, or it does not use this gateway.")
        if account.flag == "off":
            raise Refused(
                503, "gateway_off", "This gateway is switched off for this tenant. Please deliver again later."
            )
        arrived = Arrived(tenant=tenant, gateway=gateway, at_s=now_s())
        meaning = _meaning(known, body, dialect=account.dialect, values=secrets.of(tenant, gateway), arrived=arrived)
        match meaning:
            case Ignored():
                status = "ignored"
            case Reversal():
                with database.connection() as connection:
                    status = conversions.record_reversal(connection, arrived, meaning)
            case Purchase():
                draft = Draft(
                    id=uuid4(),
                    purchase=meaning,
                    user_data=_user_data(meaning),
                    hold=account.flag == "hold",
                    window_s=window_s,
                )
                with database.connection() as connection:
                    status = conversions.record_purchase(connection, arrived, draft)
        log.info("webhook %s/%s: %s", gateway, tenant, status)
        return {"status": status}, 202

    return routes


def _want_json() -> None:
    kind = (request.mimetype or "").lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "unsupported_media_type", "A webhook is application/json.")


def _adapter(name: str) -> Adapter:
    try:
        return adapter(name)
    except UnknownGateway:
        raise Refused(404, "unknown_gateway", "There is no such gateway.") from None


def _meaning(known: Adapter, body: bytes, *, dialect: str, values: Any, arrived: Arrived) -> Any:
    delivery = RawDelivery(
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
    )
    try:
        known.verify(delivery, dialect=dialect, secrets=values, now_s=arrived.at_s)
        return known.read(body, dialect=dialect)
    except BadSignature as error:
        log.warning("webhook %s/%s refused: %s", arrived.gateway, arrived.tenant, error)
        raise Refused(401, "bad_signature", str(error)) from None
    except MalformedBody as error:
        raise Refused(400, "malformed", str(error)) from None
    except SchemaMismatch as error:
        raise Refused(422, "schema", str(error)) from None


def _user_data(purchase: Purchase) -> dict[str, Any]:
    """Hashes, and for the time until the dispatch the buyer's own address and browser."""
    user_data = dict(hash_buyer(purchase.buyer).as_user_data())
    if purchase.buyer.ip_address:
        user_data["client_ip_address"] = purchase.buyer.ip_address
    if purchase.buyer.user_agent:
        user_data["client_user_agent"] = purchase.buyer.user_agent
    return user_data
