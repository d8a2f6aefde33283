"""What is remembered of a visitor: the click, the contact left at the checkout, and what they said about consent.

Address and browser come sealed, e-mail and phone hashed; who has refused leaves an id and the refusal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import psycopg

from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.matching import Contact, contact_after

Connection = psycopg.Connection[tuple[Any, ...]]
Consent = Literal["granted", "denied", "unknown"]

_GATEWAYS = """
SELECT coalesce(json_object_agg(g.gateway, g.dialect) FILTER (WHERE g.gateway IS NOT NULL), '{}')
FROM tenants t LEFT JOIN tenant_gateways g ON g.tenant_id = t.id WHERE t.id = %s GROUP BY t.id
"""
_ADD = """
INSERT INTO clicks (tenant_id, click_id, clicked_at, url, fbclid, fbc, fbp, consent, campaign,
                    client_sealed, client_expires_at)
VALUES (%(tenant)s, %(click_id)s, %(at)s, %(url)s, %(fbclid)s, %(fbc)s, %(fbp)s, %(consent)s, %(campaign)s,
        %(client_sealed)s, %(client_expires_at)s)
ON CONFLICT (tenant_id, click_id) DO NOTHING
"""
_CLICK = """
SELECT click_id, extract(epoch FROM clicked_at)::float8, fbclid, fbc, fbp, em, ph, consent
FROM clicks WHERE tenant_id = %s AND click_id = %s
"""
_CONTACT = "UPDATE clicks SET em = %s, ph = %s WHERE tenant_id = %s AND click_id = %s AND consent <> 'denied'"
_GRANT = "UPDATE clicks SET consent = 'granted' WHERE tenant_id = %s AND click_id = %s AND consent <> 'granted'"
# E-mail and phone stay, hashed, if they were left while it was not refused: without them a purchase under them could
# not be known to be this visitor's, and the refusal could not be kept. It is kept of a click that was never told, too.
_DENY = """
INSERT INTO clicks (tenant_id, click_id, clicked_at, consent) VALUES (%(tenant)s, %(click_id)s, %(at)s, 'denied')
ON CONFLICT (tenant_id, click_id) DO UPDATE
SET consent = 'denied', url = NULL, fbclid = NULL, fbc = NULL, fbp = NULL, campaign = '{}',
    client_sealed = NULL, client_expires_at = NULL
"""
# What is in flight at this moment is too late to stop; should it have to be sent again, the claim looks at the click.
_STOP = """
UPDATE conversions SET state = 'suppressed', held_until = NULL, hold_reason = 'consent withdrawn',
       user_data = '{}', source_url = NULL, client_sealed = NULL, client_expires_at = NULL
WHERE tenant_id = %(tenant)s AND click_id = %(click_id)s
  AND state IN ('pending', 'queued', 'held') AND (claimed_until IS NULL OR claimed_until <= now())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """What is known of a click that a page names."""

    click_id: str
    clicked_at_s: float
    fbclid: str | None
    fbc: str | None
    fbp: str | None
    em: str | None = field(repr=False)
    ph: str | None = field(repr=False)
    consent: Consent

    @property
    def meta_click(self) -> str | None:
        """Its fbc, as Meta wants it."""
        return fbc_for(fbclid=self.fbclid, cookie=self.fbc, clicked_at_ms=int(self.clicked_at_s * 1000))


def gateways_of(connection: Connection, tenant: str) -> Mapping[str, str] | None:
    """The tenant's gateways, each with its dialect; None where there is no such tenant."""
    row = connection.execute(_GATEWAYS, [tenant]).fetchone()
    return None if row is None else row[0]


def add_click(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Remember a click, once; whether it was new. Who denied consent leaves an id and nothing else."""
    denied = values["consent"] == "denied"
    kept = dict.fromkeys(("url", "fbclid", "fbc", "fbp", "client_sealed", "client_expires_at")) if denied else {}
    campaign = {} if denied else values["campaign"]
    row = {**values, **kept, "campaign": json.dumps(campaign)}
    return connection.execute(_ADD, row).rowcount == 1


def click(connection: Connection, tenant: str, click_id: str) -> Click | None:
    """The click of that id at that tenant."""
    row = connection.execute(_CLICK, [tenant, click_id]).fetchone()
    return None if row is None else Click(**dict(zip(Click.__slots__, row, strict=True)))


def add_contact(connection: Connection, *, tenant: str, click_id: str, told: Contact) -> None:
    """Remember the hashes that a visitor left at the checkout, unless they are plainly not the click's visitor."""
    with connection.transaction():
        row = connection.execute(
            "SELECT em, ph FROM clicks WHERE tenant_id = %s AND click_id = %s FOR UPDATE", [tenant, click_id]
        ).fetchone()
        if row is not None:
            contact = contact_after(Contact(em=row[0], ph=row[1]), told)
            connection.execute(_CONTACT, [contact.em, contact.ph, tenant, click_id])


def change_consent(connection: Connection, *, tenant: str, click_id: str, consent: Consent, at: datetime) -> None:
    """Note what the visitor says now; a refusal also stops all of theirs that has not been sent."""
    if consent == "granted":
        connection.execute(_GRANT, [tenant, click_id])
    elif consent == "denied":
        values = {"tenant": tenant, "click_id": click_id, "at": at}
        with connection.transaction():
            connection.execute(_DENY, values)
            connection.execute(_STOP, values)
