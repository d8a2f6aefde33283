"""Tracking: page views and checkouts on their way to Meta, sealed visitors, and a refusal that works backwards.

A page event is a row of `conversions` with `gateway` 'site', `kind` 'pageview' or 'checkout' and the page's own event
id as `sale_id`: so it has the purchase's whole life (outbox, leases, holds, breaker, token, expiry), and what asks
for `kind = 'purchase'` does not see it. The version before this one sends what it finds as an event with a value; 0
of a known currency, which is what a page event has here, is taken by Meta.

Every step may be made again: the indexes are built outside of the transaction (online.py), so it can be interrupted.

`visits` is no longer written; it goes once the version before this one is nowhere in use.
"""

from alembic import op

from reference_impl.db import online

revision = "0002"
down_revision = "0001"

UP = """
-- Meta's click id as the page's cookie had it; the visitor's address and browser, encrypted (sealing.py), with an end.
ALTER TABLE clicks ADD COLUMN IF NOT EXISTS fbc text;
ALTER TABLE clicks ADD COLUMN IF NOT EXISTS client_sealed text;
ALTER TABLE clicks ADD COLUMN IF NOT EXISTS client_expires_at timestamptz;

ALTER TABLE conversions ADD COLUMN IF NOT EXISTS client_sealed text;
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS client_expires_at timestamptz;
-- The click that it came from or names: whose visitor may yet refuse. For a page event also the page.
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS click_id text;
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS source_url text;

-- Page events go another way to SQS, after the purchases.
ALTER TABLE outbox ADD COLUMN IF NOT EXISTS page boolean NOT NULL DEFAULT false;
"""
INDEXES = {
    "clicks_client_expires": "clicks (client_expires_at) WHERE client_sealed IS NOT NULL",
    "conversions_click": "conversions (tenant_id, click_id) "
    "WHERE click_id IS NOT NULL AND state IN ('pending', 'queued', 'held')",
    "conversions_pages": "conversions (received_at) WHERE kind <> 'purchase'",
    # Purchases first, however many page events are held beside them.
    "conversions_due": "conversions ((kind <> 'purchase'), held_until) WHERE state = 'held'",
    "outbox_unsent": "outbox (page, id) WHERE sent_at IS NULL",
}

PAGES = """
DELETE FROM conversions WHERE id IN (
    SELECT id FROM conversions WHERE kind IN ('pageview', 'checkout') LIMIT 5000)
"""
DOWN = """
ALTER TABLE outbox DROP COLUMN IF EXISTS page;
ALTER TABLE conversions DROP COLUMN IF EXISTS click_id, DROP COLUMN IF EXISTS source_url,
    DROP COLUMN IF EXISTS client_sealed, DROP COLUMN IF EXISTS client_expires_at;
ALTER TABLE clicks DROP COLUMN IF EXISTS fbc, DROP COLUMN IF EXISTS client_sealed,
    DROP COLUMN IF EXISTS client_expires_at;
"""


def upgrade() -> None:
    op.execute(UP)
    for name, on in INDEXES.items():
        online.create_index(name, on)


def downgrade() -> None:
    online.in_batches(PAGES)
    for name in INDEXES:
        online.drop_index(name)
    op.execute(DOWN)
