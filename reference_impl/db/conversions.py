"""A webhook's meaning, written down: conversion, dedupe row, match and outbox in one transaction, before the 202."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import psycopg

from reference_impl.db import doors, reversals, tenants
from reference_impl.db.tenants import Account
from reference_impl.domain.conversion import Purchase, Reinstatement, Reversal
from reference_impl.domain.event import has_match_keys, too_old
from reference_impl.domain.event_id import event_id
from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.matching import Candidate, Match, best_match, denied

Connection = psycopg.Connection[tuple[Any, ...]]
Recorded = Literal["accepted", "duplicate", "held", "outdated"]
_Seals = tuple[str | None, datetime | None]
"""The buyer's address and browser, sealed, and when they end."""
_NO_SEALS: _Seals = (None, None)

# One question before the decision: was the sale heard of, or reversed, which clicks share an identifier with it, and
# how does the tenant use the gateway at this moment? There is a row for each click, and one without a click if there is
# none. What is asked about several sales comes as one JSON array: one round trip, however many.
_LOOK = """
SELECT asked.i, known.purchase, known.reversal,
       u.dialect, u.flag, coalesce(g.flag, 'on'), coalesce(nullif(u.allowed, '{}'), g.allowed, '{}'), u.secrets_version,
       c.click_id, extract(epoch FROM c.clicked_at)::float8, c.fbclid, c.fbp, c.em, c.ph, c.consent, c.fbc,
       CASE WHEN c.client_expires_at > asked.at THEN c.client_sealed END
FROM jsonb_to_recordset(%s::jsonb) AS asked (i integer, tenant text, gateway text, sale_id text, at timestamptz,
                                             click_id text, fbclid text, em text, ph text)
LEFT JOIN tenant_gateways u ON (u.tenant_id, u.gateway) = (asked.tenant, asked.gateway)
LEFT JOIN gateways g ON g.gateway = asked.gateway
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(kind = 'purchase'), false) AS purchase,
           coalesce(bool_or(kind IN ('refund', 'chargeback')), false) AS reversal
    FROM dedupe_registry
    WHERE tenant_id = asked.tenant AND gateway = asked.gateway AND sale_id = asked.sale_id
) known LEFT JOIN LATERAL (
    SELECT * FROM clicks WHERE tenant_id = asked.tenant
      AND (click_id = asked.click_id OR fbclid = asked.fbclid OR em = asked.em OR ph = asked.ph)
    ORDER BY clicked_at DESC LIMIT 50
) c ON true
"""
# And one statement after it, which is a transaction: the registry decides between twins. A refund that came between the
# two is seen when the conversion is claimed (store.py), as one that comes later is. The relays are woken beside it, not
# in it: see web/bell.py. Sales are registered in one order, so that two processes with the same twins do not wait for
# each other for ever.
_WRITE = """
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS one (
        id uuid, tenant text, gateway text, sale_id text, event_id text, event_time timestamptz,
        received_at timestamptz, amount numeric, currency text, product_id text, user_data jsonb, client_sealed text,
        client_expires_at timestamptz, click_id text, matched text, method text, state text, reason text)
), registered AS (
    INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at)
    SELECT tenant, gateway, sale_id, 'purchase', event_id, received_at FROM given ORDER BY tenant, gateway, sale_id
    ON CONFLICT DO NOTHING RETURNING tenant_id, gateway, sale_id
), one AS (
    INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, received_at,
                             amount, currency, product_id, user_data, client_sealed, client_expires_at, click_id,
                             state, held_until, hold_reason)
    SELECT id, tenant, given.gateway, given.sale_id, 'purchase', event_id, 'Purchase', event_time, received_at,
           amount, currency, product_id, user_data, client_sealed, client_expires_at, click_id,
           state, NULL, reason
    FROM given JOIN registered r ON (r.tenant_id, r.gateway, r.sale_id) = (tenant, given.gateway, given.sale_id)
    ON CONFLICT (tenant_id, gateway, sale_id, kind) DO NOTHING  -- a sale is kept for longer than its dedupe row
    RETURNING id, tenant_id, received_at, state
), matched AS (
    INSERT INTO matches (conversion_id, tenant_id, click_id, method, created_at)
    SELECT one.id, tenant_id, matched, method, one.received_at
    FROM one JOIN given ON given.id = one.id WHERE matched IS NOT NULL
), told AS (
    INSERT INTO outbox (conversion_id) SELECT id FROM one WHERE state = 'pending'
)
SELECT id FROM one
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A genuine purchase that is to be written down."""

    arrived: Arrived
    draft: Draft
    believed: Account | None = None
    """The account, remembered and not read, by which its sender was believed. None: it was read for this webhook."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by."""
        return self.arrived.tenant, self.arrived.gateway, self.draft.purchase.sale_id


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database knows of a sale before this purchase of it."""

    purchase: bool
    reversal: bool
    account: Account | None
    candidates: list[Candidate]
    """Every click that shares an identifier with the purchase."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A conversion as it is about to be written."""

    values: dict[str, Any] = field(repr=False)
    seals: _Seals = field(repr=False)
    state: str
    reason: str | None

    def told(self) -> dict[str, Any]:
        """As `_WRITE` takes it. Only what is going to Meta keeps the address and the browser."""
        sealed, expires_at = self.seals if self.state in ("pending", "held") else _NO_SEALS
        ends = {"client_sealed": sealed, "client_expires_at": expires_at and expires_at.isoformat()}
        return {**self.values, **ends, "state": self.state, "reason": self.reason}


def record_purchases(connection: Connection, sales: Sequence[Sale]) -> list[Recorded]:
    """Write purchases and everything that follows from each, or nothing: two round trips for all of them.

    A sale that stands twice among them is written once. `outdated` is whose account is no longer as it was believed to
    be; of it nothing has been written.
    """
    answers: list[Recorded] = ["duplicate"] * len(sales)
    rows: dict[tuple[str, str, str], tuple[int, _Row]] = {}
    reversed_: list[Sale] = []
    for number, (sale, known) in enumerate(zip(sales, _look(connection, sales), strict=True)):
        if sale.believed is not None and sale.believed != known.account:
            answers[number] = "outdated"
        elif not known.purchase and sale.key not in rows:
            rows[sale.key] = number, _row(sale.arrived, sale.draft, known)
            reversed_ += [sale] if known.reversal else []
    held = [one for one in rows.values() if one[1].state == "held"]
    at_once = [one for one in rows.values() if one[1].state != "held"]
    written = _write(connection, [row for _, row in at_once])
    for number, row in at_once:
        if row.values["id"] in written:
            answers[number] = "accepted"
    for number, row in held:
        answers[number] = _write_held(connection, sales[number].arrived, row)
    for sale in reversed_:
        # What it was suppressed for may have been undone between the look and the write.
        reversals.reconsider(connection, _sale(sale.arrived, sale.draft.purchase), now_s=sale.arrived.at_s)
    return answers


def _row(arrived: Arrived, draft: Draft, known: _Known) -> _Row:
    """The decision about a purchase of which nothing has been heard before."""
    purchase = draft.purchase
    event_time_s = int(min(arrived.at_s if purchase.paid_at_s is None else purchase.paid_at_s, arrived.at_s))
    found = _matched(known.candidates, draft, event_time_s)
    user_data = _with_click(draft, found)
    click_seal = found.candidate.client_sealed if found else None
    state, reason = _beginning(
        arrived,
        user_data | _client_keys(draft, click_seal),
        event_time_s,
        reversed_=known.reversal,
        denied_=denied(known.candidates, purchase.trail, found),
        hold=draft.hold,
    )
    values = {
        "id": str(draft.id),
        "tenant": arrived.tenant,
        "gateway": arrived.gateway,
        "sale_id": purchase.sale_id,
        "event_id": event_id(tenant=arrived.tenant, gateway=arrived.gateway, sale_id=purchase.sale_id, kind="purchase"),
        "event_time": datetime.fromtimestamp(event_time_s, UTC).isoformat(),
        "received_at": arrived.at.isoformat(),
        "amount": str(purchase.amount),
        "currency": purchase.currency,
        "product_id": purchase.product_id,
        "user_data": user_data,
        "click_id": _click_id(known.candidates, purchase.trail.click_id, found),
        "matched": found.candidate.click_id if found else None,
        "method": found.method if found else None,
    }
    return _Row(values, _seals(draft, click_seal, arrived), state, reason)


def _write_held(connection: Connection, arrived: Arrived, row: _Row) -> Recorded:
    """Hold it, unless the flag was switched on meanwhile: the flag's row is locked until this is committed."""
    with connection.transaction():
        if doors.still_held(connection, tenant=arrived.tenant, gateway=arrived.gateway):
            return "held" if _write(connection, [row]) else "duplicate"
        return "accepted" if _write(connection, [replace(row, state="pending", reason=None)]) else "duplicate"


def _write(connection: Connection, rows: Sequence[_Row]) -> set[str]:
    """Write those that nobody else has written; their ids."""
    if not rows:
        return set()
    told = json.dumps([row.told() for row in rows])
    return {str(one) for (one,) in connection.execute(_WRITE, [told]).fetchall()}


def record_reversal(connection: Connection, arrived: Arrived, reversal: Reversal) -> reversals.Noted:
    """Remember that money went back, and stop the purchase if it has not gone out yet."""
    at = _happened_at(arrived, reversal)
    return reversals.reverse(connection, _sale(arrived, reversal), reversal, at=at)


def record_reinstatement(connection: Connection, arrived: Arrived, undone: Reinstatement) -> reversals.Noted:
    """Remember that a reversal came to nothing, and send the purchase that it alone had stopped."""
    at = _happened_at(arrived, undone)
    return reversals.reinstate(connection, _sale(arrived, undone), undone, at=at, now_s=arrived.at_s)


def _happened_at(arrived: Arrived, told: Reversal | Reinstatement) -> datetime:
    """By the vendor, but never after now."""
    at_s = arrived.at_s if told.happened_at_s is None else min(told.happened_at_s, arrived.at_s)
    return datetime.fromtimestamp(at_s, UTC)


def _sale(arrived: Arrived, told: Purchase | Reversal | Reinstatement) -> reversals.Sale:
    return reversals.Sale(arrived.tenant, arrived.gateway, told.sale_id)


def _look(connection: Connection, sales: Sequence[Sale]) -> list[_Known]:
    """Read what the decisions need."""
    asked = [_question(number, sale) for number, sale in enumerate(sales)]
    found: dict[int, _Known] = {}
    for number, purchase, reversal, *rest in connection.execute(_LOOK, [json.dumps(asked)]).fetchall():
        if number not in found:
            found[number] = _Known(purchase, reversal, tenants.as_account(rest[:5]), [])
        if rest[5] is not None:
            found[number].candidates.append(Candidate(**dict(zip(Candidate.__slots__, rest[5:], strict=True))))
    return [found[number] for number in range(len(sales))]


def _question(number: int, sale: Sale) -> dict[str, Any]:
    trail, (em, ph) = sale.draft.purchase.trail, _hashes(sale.draft)
    return {
        "i": number,
        "tenant": sale.arrived.tenant,
        "gateway": sale.arrived.gateway,
        "sale_id": sale.draft.purchase.sale_id,
        "at": sale.arrived.at.isoformat(),
        "click_id": trail.click_id,
        "fbclid": trail.fbclid,
        "em": em,
        "ph": ph,
    }


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
