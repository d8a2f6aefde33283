"""A webhook's meaning, written down: conversion, dedupe row, match and outbox in one transaction, before the 202."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import psycopg

from reference_impl.db import doors, reversals
from reference_impl.domain.conversion import Purchase, Reinstatement, Reversal
from reference_impl.domain.event import has_match_keys, too_old
from reference_impl.domain.event_id import event_id
from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.matching import Candidate, Match, best_match, denied

Connection = psycopg.Connection[tuple[Any, ...]]
Recorded = Literal["accepted", "duplicate", "held"]
_Seals = tuple[str | None, datetime | None]
"""The buyer's address and browser, sealed, and when they end."""
_NO_SEALS: _Seals = (None, None)

# One question before the decision: was the sale heard of, or reversed, and which clicks share an identifier with it?
# There is a row for each click, and one without a click if there is none.
_LOOK = """
SELECT known.purchase, known.reversal,
       c.click_id, extract(epoch FROM c.clicked_at)::float8, c.fbclid, c.fbp, c.em, c.ph, c.consent, c.fbc,
       CASE WHEN c.client_expires_at > %(at)s THEN c.client_sealed END
FROM (
    SELECT coalesce(bool_or(kind = 'purchase'), false) AS purchase,
           coalesce(bool_or(kind IN ('refund', 'chargeback')), false) AS reversal
    FROM dedupe_registry WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s AND sale_id = %(sale_id)s
) known LEFT JOIN (
    SELECT * FROM clicks WHERE tenant_id = %(tenant)s
      AND (click_id = %(click_id)s OR fbclid = %(fbclid)s OR em = %(em)s OR ph = %(ph)s)
    ORDER BY clicked_at DESC LIMIT 50
) c ON true
"""
# And one statement after it, which is a transaction: the registry decides between twins. A refund that came between the
# two is seen when the conversion is claimed (store.py), as one that comes later is. The relays are woken beside it, not
# in it: see web/bell.py.
_WRITE = """
WITH registered AS (
    INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
    VALUES (%(tenant)s, %(gateway)s, %(sale_id)s, 'purchase', %(event_id)s, %(received_at)s)
    ON CONFLICT DO NOTHING RETURNING tenant_id, gateway, sale_id, kind, event_id, first_seen_at
), one AS (
    INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, received_at,
                             amount, currency, product_id, user_data, client_sealed, client_expires_at, click_id,
                             state, held_until, hold_reason)
    SELECT %(id)s, tenant_id, gateway, sale_id, kind, event_id, 'Purchase', %(event_time)s, first_seen_at,
           %(amount)s, %(currency)s, %(product_id)s, %(user_data)s::jsonb, %(client_sealed)s, %(client_expires_at)s,
           %(click_id)s, %(state)s, NULL, %(reason)s
    FROM registered
    RETURNING id, tenant_id, received_at, state
), matched AS (
    INSERT INTO matches (conversion_id, tenant_id, click_id, method, created_at)
    SELECT id, tenant_id, %(matched)s, %(method)s, received_at FROM one WHERE %(matched)s::text IS NOT NULL
), told AS (
    INSERT INTO outbox (conversion_id) SELECT id FROM one WHERE state = 'pending'
)
SELECT FROM one
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Where and when a genuine webhook came in."""

    tenant: str
    gateway: str
    at_s: float
    """By the application's clock: seconds since 1970."""

    @property
    def at(self) -> datetime:
        """The same, as PostgreSQL wants it."""
        return datetime.fromtimestamp(self.at_s, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The buyer's address and browser on their way to Meta, sealed."""

    sealed: str = field(repr=False)
    keys: frozenset[str]
    """Which of `client_ip_address` and `client_user_agent` are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A purchase that is about to be stored: hashed or sealed, nothing of it in plain text."""

    id: UUID
    purchase: Purchase
    user_data: dict[str, Any] = field(repr=False)
    client: Client | None
    hold: bool
    """A flag was `hold` when it came: store, do not send."""
    window_s: int
    """The attribution window."""
    client_s: int = 8 * 86_400
    """How long the buyer's address and browser are kept at most, sealed."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows of a sale before this purchase of it."""

    purchase: bool
    reversal: bool
    candidates: list[Candidate]
    """Every click that shares an identifier with the purchase."""


def record_purchase(connection: Connection, arrived: Arrived, draft: Draft) -> Recorded:
    """Write a purchase and everything that follows from it, or nothing: two round trips."""
    purchase = draft.purchase
    known = _look(connection, arrived, draft)
    if known.purchase:
        return "duplicate"
    event_time_s = int(min(arrived.at_s if purchase.paid_at_s is None else purchase.paid_at_s, arrived.at_s))
    found = _matched(known.candidates, draft, event_time_s)
    refused = denied(known.candidates, purchase.trail, found)
    user_data = _with_click(draft, found)
    click_seal = found.candidate.client_sealed if found else None
    state, reason = _beginning(
        arrived,
        user_data | _client_keys(draft, click_seal),
        event_time_s,
        reversed_=known.reversal,
        denied_=refused,
        hold=draft.hold,
    )
    values = {
        "id": draft.id,
        "tenant": arrived.tenant,
        "gateway": arrived.gateway,
        "sale_id": purchase.sale_id,
        "event_id": event_id(tenant=arrived.tenant, gateway=arrived.gateway, sale_id=purchase.sale_id, kind="purchase"),
        "event_time": datetime.fromtimestamp(event_time_s, UTC),
        "received_at": arrived.at,
        "amount": purchase.amount,
        "currency": purchase.currency,
        "product_id": purchase.product_id,
        "user_data": json.dumps(user_data),
        "click_id": _click_id(known.candidates, purchase.trail.click_id, found),
        "matched": found.candidate.click_id if found else None,
        "method": found.method if found else None,
    }
    seals = _seals(draft, click_seal, arrived)
    if state == "held":
        return _write_held(connection, arrived, values, seals, reason)
    written = _write(connection, values, seals if state == "pending" else _NO_SEALS, state, reason)
    if known.reversal:
        # What it was suppressed for may have been undone between the look and the write.
        reversals.reconsider(connection, _sale(arrived, purchase), now_s=arrived.at_s)
    return written


def _write_held(
    connection: Connection, arrived: Arrived, values: dict[str, Any], seals: _Seals, reason: str | None
) -> Recorded:
    """Hold it, unless the flag was switched on meanwhile: the flag's row is locked until this is committed."""
    with connection.transaction():
        if doors.still_held(connection, tenant=arrived.tenant, gateway=arrived.gateway):
            return _write(connection, values, seals, "held", reason)
        return _write(connection, values, seals, "pending", None)


def _write(connection: Connection, values: dict[str, Any], seals: _Seals, state: str, reason: str | None) -> Recorded:
    sealed, expires_at = seals
    told = {**values, "client_sealed": sealed, "client_expires_at": expires_at, "state": state, "reason": reason}
    if not connection.execute(_WRITE, told).rowcount:
        return "duplicate"
    return "held" if state == "held" else "accepted"


def record_reversal(connection: Connection, arrived: Arrived, reversal: Reversal) -> Recorded:
    """Remember that money went back, and stop the purchase if it has not gone out yet."""
    at = _happened_at(arrived, reversal)
    return reversals.reverse(connection, _sale(arrived, reversal), reversal, at=at)


def record_reinstatement(connection: Connection, arrived: Arrived, undone: Reinstatement) -> Recorded:
    """Remember that a reversal came to nothing, and send the purchase that it alone had stopped."""
    at = _happened_at(arrived, undone)
    return reversals.reinstate(connection, _sale(arrived, undone), undone, at=at, now_s=arrived.at_s)


def _happened_at(arrived: Arrived, told: Reversal | Reinstatement) -> datetime:
    """By the vendor, but never after now."""
    at_s = arrived.at_s if told.happened_at_s is None else min(told.happened_at_s, arrived.at_s)
    return datetime.fromtimestamp(at_s, UTC)


def _sale(arrived: Arrived, told: Purchase | Reversal | Reinstatement) -> reversals.Sale:
    return reversals.Sale(arrived.tenant, arrived.gateway, told.sale_id)


def _look(connection: Connection, arrived: Arrived, draft: Draft) -> _Known:
    """Read what the decision needs."""
    trail, (em, ph) = draft.purchase.trail, _hashes(draft)
    rows = connection.execute(
        _LOOK,
        {
            "tenant": arrived.tenant,
            "gateway": arrived.gateway,
            "sale_id": draft.purchase.sale_id,
            "at": arrived.at,
            "click_id": trail.click_id,
            "fbclid": trail.fbclid,
            "em": em,
            "ph": ph,
        },
    ).fetchall()
    purchase, reversal = rows[0][:2]
    clicks = [row[2:] for row in rows if row[2] is not None]
    return _Known(purchase, reversal, [Candidate(**dict(zip(Candidate.__slots__, one, strict=True))) for one in clicks])


def _click_id(candidates: list[Candidate], named: str | None, found: Match | None) -> str | None:
    """Whose refusal concerns this purchase: the click that it is matched to, else one of ours that it names."""
    if found is not None:
        return found.candidate.click_id
    return next((one.click_id for one in candidates if one.click_id == named), None)


def _matched(candidates: list[Candidate], draft: Draft, event_time_s: int) -> Match | None:
    em, ph = _hashes(draft)
    return best_match(
        candidates,
        paid_at_s=event_time_s,
        paid_within_s=draft.purchase.paid_within_s,
        window_s=draft.window_s,
        trail=draft.purchase.trail,
        em=em,
        ph=ph,
    )


def _hashes(draft: Draft) -> tuple[str | None, str | None]:
    return _first(draft.user_data.get("em")), _first(draft.user_data.get("ph"))


def _client_keys(draft: Draft, click_seal: str | None) -> dict[str, bool]:
    """What Meta will be told besides: by name, for the question whether it could match the buyer.

    Whoever's browser was sealed at a click, their address was.
    """
    told = draft.client.keys if draft.client else frozenset()
    return dict.fromkeys(told | ({"client_ip_address"} if click_seal else set()), True)


def _seals(draft: Draft, click_seal: str | None, arrived: Arrived) -> _Seals:
    """Address and browser as the payload has them, then as the click has them, a space between; and when both end."""
    sealed = " ".join(filter(None, (draft.client.sealed if draft.client else None, click_seal)))
    return (sealed, datetime.fromtimestamp(arrived.at_s + draft.client_s, UTC)) if sealed else _NO_SEALS


def _first(value: Any) -> str | None:
    return value[0] if isinstance(value, list) and value else value if isinstance(value, str) else None


def _with_click(draft: Draft, found: Match | None) -> dict[str, Any]:
    """The buyer's hashes, and what the click adds to them: Meta's own identifiers, letter for letter."""
    trail, user_data = draft.purchase.trail, dict(draft.user_data)
    click = found.candidate if found else None
    of_click = (
        fbc_for(fbclid=click.fbclid, cookie=click.fbc, clicked_at_ms=int(click.clicked_at_s * 1000)) if click else None
    )
    if fbc := of_click or trail.fbc:
        user_data["fbc"] = fbc
    if fbp := (click.fbp if click else None) or trail.fbp:
        user_data["fbp"] = fbp
    return user_data


def _beginning(
    arrived: Arrived, user_data: dict[str, Any], event_time_s: int, *, reversed_: bool, denied_: bool, hold: bool
) -> tuple[str, str | None]:
    """The state in which a conversion begins its life, and why."""
    if reversed_:
        return "suppressed", "reversed before it came"
    if denied_:
        return "suppressed", "consent denied"
    if not has_match_keys(user_data):
        return "suppressed", "no match keys"
    if too_old(event_time_s, now_s=arrived.at_s):
        return "expired", "older than 7 days when it came"
    return ("held", "flag") if hold else ("pending", None)
