"""`POST /api/v1/webhooks/{gateway}/{tenant}`: the raw bytes of a delivery into the intake, and its answer out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from reference_impl.db.conversions import Arrived
from reference_impl.gateways import Adapter, RawDelivery, UnknownGateway, adapter
from reference_impl.gateways import known as known_gateways
from reference_impl.monitoring.webhooks import Outcome, WebhookWatch
from reference_impl.web import bodies
from reference_impl.web.addresses import client_address
from reference_impl.web.answers import Received
from reference_impl.web.errors import Refused
from reference_impl.web.intake import Intake
from reference_impl.web.openapi import documented, refusals

log = logging.getLogger(__name__)

_USUAL = ("application/json", "application/json; charset=utf-8", "")
"""What need not be taken apart."""


def blueprint(
    *, intake: Intake, now_s: Callable[[], float], trusted_hops: int, watch: WebhookWatch | None = None
) -> Blueprint:
    """The webhook's route over what takes it in. `watch` is told how each one ended."""
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
        answers={202: Received, **refusals(400, 401, 403, 404, 413, 415, 422, 503)},
    )
    def receive(gateway: str, tenant: str) -> ResponseReturnValue:
        if watch is None:
            return take(gateway, tenant)
        begun_s = time.perf_counter()
        outcome: Outcome = "failed"
        try:
            answer = take(gateway, tenant)
            outcome = "accepted"
        except (Refused, HTTPException) as error:
            outcome = _outcome(error)
            raise
        finally:
            watch.answered(tenant, gateway, caller(), outcome, took_ms=(time.perf_counter() - begun_s) * 1000)
        return answer

    def take(gateway: str, tenant: str) -> ResponseReturnValue:
        _want_json()
        delivery = RawDelivery(
            body=bodies.raw(),
            headers=_headers(request.environ),
            query=request.args.to_dict(),
        )
        arrived = Arrived(tenant=tenant, gateway=gateway, at_s=now_s())
        status = intake.take(_adapter(gateway), delivery, arrived, caller=caller)
        log.info("webhook %s/%s: %s", gateway, tenant, status)
        return {"status": status}, 202

    def caller() -> str | None:
        forwarded = request.headers.getlist("X-Forwarded-For") if trusted_hops else ()
        return client_address(request.remote_addr, forwarded, trusted_hops=trusted_hops)

    return routes


def _outcome(error: Refused | HTTPException) -> Outcome:
    """Whose fault a refusal is."""
    if not isinstance(error, Refused):
        return "strange"  # too large, a wrong method: werkzeug's own
    if error.code == "gateway_off":
        return "promised"
    if error.proven or error.status >= 500:
        return "failed"
    return "unproven" if error.status == 401 else "strange"


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """The sender's headers, as WSGI has them; werkzeug's own view of them costs three times as much."""
    return {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}


def _want_json() -> None:
    if request.environ.get("CONTENT_TYPE", "") in _USUAL:
        return
    kind = (request.mimetype or "").lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "unsupported_media_type", "A webhook is application/json.")


def _adapter(name: str) -> Adapter:
    try:
        return adapter(name)
    except UnknownGateway:
        raise Refused(404, "unknown_gateway", "There is no such gateway.") from None
