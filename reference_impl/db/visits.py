"""Clicks, page views and checkouts: what is remembered of a visitor, hashed where it is personal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_CLICK = """
INSERT INTO clicks (tenant_id, click_id, clicked_at, url, fbclid, fbp, consent, campaign)
VALUES (%(tenant)s, %(click_id)s, %(at)s, %(url)s, %(fbclid)s, %(fbp)s, %(consent)s, %(campaign)s)
ON CONFLICT (tenant_id, click_id) DO NOTHING
"""
_VISIT = """
INSERT INTO visits (tenant_id, event_id, kind, click_id, seen_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
# The last contact wins, and what was not given again is kept.
_CONTACT = """
UPDATE clicks SET em = coalesce(%(em)s, em), ph = coalesce(%(ph)s, ph)
WHERE tenant_id = %(tenant)s AND click_id = %(click_id)s AND consent <> 'denied'
"""


def add_click(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Remember a click, once; whether it was new. Who denied consent leaves an id and nothing else."""
    denied = values["consent"] == "denied"
    kept = dict.fromkeys(("url", "fbclid", "fbp")) if denied else {}
    campaign = {} if denied else values["campaign"]
    row = {**values, **kept, "campaign": json.dumps(campaign)}
    return connection.execute(_CLICK, row).rowcount == 1


def add_visit(
    connection: Connection, *, tenant: str, event_id: str, kind: str, click_id: str | None, at: datetime
) -> None:
    """Remember a page view or a checkout, once for each event id."""
    connection.execute(_VISIT, [tenant, event_id, kind, click_id, at])


def add_contact(connection: Connection, *, tenant: str, click_id: str, em: str | None, ph: str | None) -> None:
    """Remember the hashes that a visitor left at the checkout."""
    connection.execute(_CONTACT, {"tenant": tenant, "click_id": click_id, "em": em, "ph": ph})
