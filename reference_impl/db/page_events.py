"""A page view or a checkout on its way to Meta: one row, and its place in the outbox, once for each event id."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from reference_impl.domain.event import PAGE_EVENTS

Connection = psycopg.Connection[tuple[Any, ...]]

#: In the place of a payment gateway's name.
SITE = "site"

# It has no value; the columns want one, and the version before revision 0002 would send it.
# The unique key (tenant, site, event id, kind) is the registry: Meta forgets an event id after 48 hours, we after days.
_ADD = """
WITH one AS (
    INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, received_at,
                             amount, currency, user_data, click_id, source_url,
                             client_sealed, client_expires_at, state, hold_reason)
    VALUES (%(id)s, %(tenant)s, %(gateway)s, %(event_id)s, %(kind)s, %(event_id)s, %(event_name)s, %(at)s, %(at)s,
            0, 'BRL', %(user_data)s, %(click_id)s, %(source_url)s,
            %(client_sealed)s, %(client_expires_at)s, %(state)s, %(reason)s)
    ON CONFLICT (tenant_id, gateway, sale_id, kind) DO NOTHING
    RETURNING id, state
)
INSERT INTO outbox (conversion_id, page) SELECT id, true FROM one WHERE state = 'pending' RETURNING conversion_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEvent:
    """What is stored: hashed or sealed, nothing of it in plain text."""

    id: UUID
    tenant: str
    kind: str
    """`pageview` or `checkout`."""
    event_id: str
    """The browser's Pixel tells it too: by it Meta counts both once."""
    at: datetime
    user_data: dict[str, Any] = field(repr=False)
    click_id: str | None
    source_url: str | None
    client_sealed: str | None = field(repr=False)
    client_expires_at: datetime | None
    suppressed: str | None
    """Why it is not to be sent, if it is not."""


def add(connection: Connection, event: PageEvent) -> None:
    """Write it and its outbox row; again is nothing. Of what is not to be sent only the fact stays."""
    unsent = event.suppressed is not None
    values = {
        "id": event.id,
        "tenant": event.tenant,
        "gateway": SITE,
        "kind": event.kind,
        "event_id": event.event_id,
        "event_name": PAGE_EVENTS[event.kind],
        "at": event.at,
        "user_data": "{}" if unsent else json.dumps(event.user_data),
        "click_id": event.click_id,
        "source_url": None if unsent else event.source_url,
        "client_sealed": None if unsent else event.client_sealed,
        "client_expires_at": None if unsent else event.client_expires_at,
        "state": "suppressed" if unsent else "pending",
        "reason": event.suppressed,
    }
    connection.execute(_ADD, values)
