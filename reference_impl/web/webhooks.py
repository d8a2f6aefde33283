"""`POST /api/v1/webhooks/{gateway}/{tenant}`: raw bytes, signature, meaning, one transaction, 202.

The order is the promise. Nothing is parsed before the sender is known (PerfectPay alone proves itself inside the
body), nothing is stored in plain text, and nothing is answered before it is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from reference_impl.db import conversions, tenants
from reference_impl.db.conversions import Arrived, Client, Connection, Draft
from reference_impl.db.tenants import Account
from reference_impl.domain import client
from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reinstatement, Reversal
from reference_impl.domain.door import may_enter
from reference_impl.domain.hashing import hash_buyer
from reference_impl.gateways import (
    Adapter,
    BadSignature,
    MalformedBody,
    RawDelivery,
    SchemaMismatch,
    UnknownGateway,
    UnprovenSender,
    adapter,
)
from reference_impl.gateways import (
    known as known_gateways,
)
from reference_impl.sealing import Seals
from reference_impl.secrets import GatewaySecrets
from reference_impl.web import bodies
from reference_impl.web.addresses import client_address, plain
from reference_impl.web.answers import Received
from reference_impl.web.database import Database
from reference_impl.web.errors import Refused
from reference_impl.web.openapi import documented, refusals

log = logging.getLogger(__name__)

_OFF_RETRY_S = 60
"""When a vendor may ask again whether its gateway is on. Most have a schedule of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about webhooks.

    Units:
        `window_s`: the attribution window. `client_s`: how long a buyer's address and browser are kept at most.
    """

    window_s: int
    client_s: int
    trusted_hops: int


def blueprint(
    *,
    database: Database,
    secrets: GatewaySecrets,
    seals: Seals,
    wake: Callable[[], None],
    now_s: Callable[[], float],
    rules: Rules,
) -> Blueprint:
    """The webhook's route over its collaborators; `wake` says that the outbox holds something."""
    routes = Blueprint("webhooks", __name__)

    def record(connection: Connection, account: Account, arrived: Arrived, meaning: Meaning) -> str:
        match meaning:
            case Ignored():
                return "ignored"
            case Reversal():
                return conversions.record_reversal(connection, arrived, meaning)
            case Reinstatement():
                return conversions.record_reinstatement(connection, arrived, meaning)
            case Purchase():
                draft = Draft(
                    id=uuid4(),
                    purchase=meaning,
                    user_data=hash_buyer(meaning.buyer).as_user_data(),
                    client=_sealed(meaning.buyer, seals),
                    hold=account.flag == "hold",
                    window_s=rules.window_s,
                    client_s=rules.client_s,
                )
                return conversions.record_purchase(connection, arrived, draft)

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
        _want_json()
        body = bodies.raw()
        known = _adapter(gateway)
        # One connection for the whole: there are as many as threads, and each one borrowed costs.
        with database.connection() as connection:
            account = tenants.account(connection, tenant, gateway)
            if account is None:
                raise Refused(404, "unknown_tenant", "There is no such tenant, or it does not use this gateway.")
            _admit(account, trusted_hops=rules.trusted_hops)
            arrived = Arrived(tenant=tenant, gateway=gateway, at_s=now_s())
            _prove(known, body, account, secrets, arrived)
            meaning = _read(known, body, dialect=account.dialect)
            status = record(connection, account, arrived, meaning)
        if isinstance(meaning, Purchase):
            wake()
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


def _admit(account: Account, *, trusted_hops: int) -> None:
    """Only from where the tenant or the gateway allows, and only while it is not switched off."""
    if account.allowed:
        caller = client_address(
            request.remote_addr, request.headers.getlist("X-Forwarded-For"), trusted_hops=trusted_hops
        )
        if not may_enter(caller, account.allowed):
            raise Refused(403, "address_not_allowed", "Webhooks of this gateway are not taken from this address.")
    if account.flag == "off":
        raise Refused(
            503,
            "gateway_off",
            "This gateway is switched off. Please deliver again later.",
            retry_after_s=_OFF_RETRY_S,
        )


def _prove(known: Adapter, body: bytes, account: Account, secrets: GatewaySecrets, arrived: Arrived) -> None:
    """Return if the sender is genuine. A proof that fits no secret that we know is held against the store's once."""
    delivery = RawDelivery(
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
    )

    def verify(values: Sequence[str]) -> None:
        known.verify(delivery, dialect=account.dialect, secrets=values, now_s=arrived.at_s)

    values = secrets.of(arrived.tenant, arrived.gateway, version=account.secrets_version)
    try:
        try:
            verify(values)
        except UnprovenSender:
            newer = secrets.newer(arrived.tenant, arrived.gateway, than=values)
            if not newer:
                raise
            verify(newer)
    except BadSignature as error:
        log.warning("webhook %s/%s refused: %s", arrived.gateway, arrived.tenant, error)
        raise Refused(401, "bad_signature", str(error)) from None
    except MalformedBody as error:
        raise Refused(400, "malformed", str(error)) from None


def _read(known: Adapter, body: bytes, *, dialect: str) -> Meaning:
    try:
        return known.read(body, dialect=dialect)
    except MalformedBody as error:
        raise Refused(400, "malformed", str(error)) from None
    except SchemaMismatch as error:
        raise Refused(422, "schema", str(error)) from None


def _sealed(buyer: Buyer, seals: Seals) -> Client | None:
    """The buyer's address and browser, which Meta wants as they are, closed until the dispatch."""
    text = client.to_text(ip=plain(buyer.ip_address), ua=buyer.user_agent)
    if text is None:
        return None
    return Client(sealed=seals.seal(text), keys=frozenset(client.to_user_data(text)))
