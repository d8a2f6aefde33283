"""A webhook's meaning, written down: conversion, dedupe row, match and outbox in one transaction, before the 202."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import psycopg

from reference_impl.db import doors
from reference_impl.domain.conversion import Purchase, Reversal
from reference_impl.domain.event import has_match_keys, too_old
from reference_impl.domain.event_id import event_id
from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.matching import Candidate, Match, best_match, denied

Connection = psycopg.Connection[tuple[Any, ...]]
Recorded = Literal["accepted", "duplicate", "held"]

# A purchase and its refund that arrive in the same moment must see each other.
_LOCK_SALE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_REGISTER = """
INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
# One question before the decision: is the sale new, was it reversed, and which clicks share an identifier with it?
# There is a row for each click, and one without a click if there is none. (A statement sees what stood when it began:
# the lock must be had before it.)
_REGISTER_AND_LOOK = """
WITH registered AS (
    INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
    VALUES (%(tenant)s, %(gateway)s, %(sale_id)s, 'purchase', %(event_id)s, %(at)s)
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT EXISTS (SELECT FROM registered),
       EXISTS (SELECT FROM dedupe_registry d WHERE d.tenant_id = %(tenant)s AND d.gateway = %(gateway)s
                 AND d.sale_id = %(sale_id)s AND d.kind IN ('refund', 'chargeback')),
       c.click_id, extract(epoch FROM c.clicked_at)::float8, c.fbclid, c.fbp, c.em, c.ph, c.consent, c.fbc,
       CASE WHEN c.client_expires_at > %(at)s THEN c.client_sealed END
FROM (VALUES (1)) always LEFT JOIN (
    SELECT * FROM clicks WHERE tenant_id = %(tenant)s
      AND (click_id = %(click_id)s OR fbclid = %(fbclid)s OR em = %(em)s OR ph = %(ph)s)
    ORDER BY clicked_at DESC LIMIT 50
) c ON true
"""
# And one statement after it. The relays are woken beside the transaction: see web/bell.py.
_WRITE = """
WITH one AS (
    INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, received_at,
                             amount, currency, product_id, user_data, client_sealed, client_expires_at, click_id,
                             state, held_until, hold_reason)
    VALUES (%(id)s, %(tenant)s, %(gateway)s, %(sale_id)s, 'purchase', %(event_id)s, 'Purchase', %(event_time)s,
            %(received_at)s, %(amount)s, %(currency)s, %(product_id)s, %(user_data)s,
            %(client_sealed)s, %(client_expires_at)s, %(click_id)s, %(state)s, NULL, %(reason)s)
    RETURNING id, tenant_id, received_at, state
), matched AS (
    INSERT INTO matches (conversion_id, tenant_id, click_id, method, created_at)
    SELECT id, tenant_id, %(matched)s, %(method)s, received_at FROM one WHERE %(matched)s::text IS NOT NULL
)
INSERT INTO outbox (conversion_id) SELECT id FROM one WHERE state = 'pending'
"""
# What is in flight at this moment is too late to stop.
_SUPPRESS = """
UPDATE conversions SET state = 'suppressed', held_until = NULL, hold_reason = %(reason)s,
       client_sealed = NULL, client_expires_at = NULL,
       user_data = user_data - 'client_ip_address' - 'client_user_agent'
WHERE tenant_id = %(tenant)s AND gateway = %(gateway)s AND sale_id = %(sale_id)s AND kind = 'purchase'
  AND state IN ('pending', 'queued', 'held') AND (claimed_until IS NULL OR claimed_until <= now())
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
    """The buyer's address and browser on their way to Meta: sealed, and with an end."""

    sealed: str = field(repr=False)
    keys: frozenset[str]
    """Which of `client_ip_address` and `client_user_agent` are in it."""
    expires_at: datetime


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
    """What the database knew of a sale before this purchase of it."""

    is_new: bool
    reversed: bool
    candidates: list[Candidate]
    """Every click that shares an identifier with the purchase."""


def record_purchase(connection: Connection, arrived: Arrived, draft: Draft) -> Recorded:
    """Write a purchase and everything that follows from it, or nothing.

    The webhook's latency is mostly this: two round trips, as the statements go out together (psycopg's pipeline).
    """
    purchase = draft.purchase
    named = event_id(tenant=arrived.tenant, gateway=arrived.gateway, sale_id=purchase.sale_id, kind="purchase")
    with connection.pipeline(), connection.transaction():
        known = _register(connection, arrived, draft, named)
        if not known.is_new:
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
            reversed_=known.reversed,
            denied_=refused,
            hold=draft.hold,
        )
        if state == "held" and not doors.still_held(connection, tenant=arrived.tenant, gateway=arrived.gateway):
            state, reason = "pending", None
        sealed, expires_at = _seals(draft, click_seal, arrived) if state in ("pending", "held") else (None, None)
        connection.execute(
            _WRITE,
            {
                "id": draft.id,
                "tenant": arrived.tenant,
                "gateway": arrived.gateway,
                "sale_id": purchase.sale_id,
                "event_id": named,
                "event_time": datetime.fromtimestamp(event_time_s, UTC),
                "received_at": arrived.at,
                "amount": purchase.amount,
                "currency": purchase.currency,
                "product_id": purchase.product_id,
                "user_data": json.dumps(user_data),
                "client_sealed": sealed,
                "client_expires_at": expires_at,
                "click_id": _click_id(known.candidates, purchase.trail.click_id, found),
                "matched": found.candidate.click_id if found else None,
                "method": found.method if found else None,
                "state": state,
                "reason": reason,
            },
        )
    return "held" if state == "held" else "accepted"


def record_reversal(connection: Connection, arrived: Arrived, reversal: Reversal) -> Recorded:
    """Remember that money went back, and stop the purchase if it has not gone out yet.

    A reversal that overtakes its purchase leaves its mark in the registry, and the purchase will see it.
    """
    sale = (arrived.tenant, arrived.gateway, reversal.sale_id)
    named = event_id(tenant=arrived.tenant, gateway=arrived.gateway, sale_id=reversal.sale_id, kind=reversal.kind)
    with connection.transaction():
        connection.execute(_LOCK_SALE, ["\x1f".join(sale)])
        if not connection.execute(_REGISTER, [*sale, reversal.kind, named, arrived.at]).rowcount:
            return "duplicate"
        if reversal.kind != "partial_refund":
            values = {"tenant": sale[0], "gateway": sale[1], "sale_id": sale[2], "reason": reversal.kind}
            connection.execute(_SUPPRESS, values)
    return "accepted"


def _register(connection: Connection, arrived: Arrived, draft: Draft, named: str) -> _Known:
    """Enter the sale, unless it was entered before, and read what the decision needs."""
    trail, (em, ph) = draft.purchase.trail, _hashes(draft)
    connection.execute(_LOCK_SALE, ["\x1f".join((arrived.tenant, arrived.gateway, draft.purchase.sale_id))])
    rows = connection.execute(
        _REGISTER_AND_LOOK,
        {
            "tenant": arrived.tenant,
            "gateway": arrived.gateway,
            "sale_id": draft.purchase.sale_id,
            "event_id": named,
            "at": arrived.at,
            "click_id": trail.click_id,
            "fbclid": trail.fbclid,
            "em": em,
            "ph": ph,
        },
    ).fetchall()
    is_new, reversed_ = rows[0][:2]
    clicks = [row[2:] for row in rows if row[2] is not None]
    return _Known(is_new, reversed_, [Candidate(**dict(zip(Candidate.__slots__, one, strict=True))) for one in clicks])


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


def _seals(draft: Draft, click_seal: str | None, arrived: Arrived) -> tuple[str | None, datetime | None]:
    """Address and browser as the payload has them, then as the click has them, a space between; and when both end."""
    sealed = " ".join(filter(None, (draft.client.sealed if draft.client else None, click_seal)))
    return (sealed, datetime.fromtimestamp(arrived.at_s + draft.client_s, UTC)) if sealed else (None, None)


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
