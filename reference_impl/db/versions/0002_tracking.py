"""Tracking: page views and checkouts on their way to Meta, sealed visitors, and a refusal that works backwards.

A page event is a row of `conversions` with `gateway` 'site', `kind` 'pageview' or 'checkout' and the page's own event
id as `sale_id`: so it has the purchase's whole life (outbox, leases, holds, breaker, token, expiry), and what asks
for `kind = 'purchase'` does not see it. The version before this one sends what it finds as an event with a value; 0
of a known currency, which is what a page event has here, is taken by Meta.

`visits` is no longer written; it goes once the version before this one is nowhere in use.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UP = """
-- Rather fail than let webhooks queue up behind a lock that is not to be had.
SET LOCAL lock_timeout = '10s';

-- Meta's click id as the page's cookie had it; the visitor's address and browser, encrypted (sealing.py), with an end.
ALTER TABLE clicks ADD COLUMN fbc text;
ALTER TABLE clicks ADD COLUMN client_sealed text;
ALTER TABLE clicks ADD COLUMN client_expires_at timestamptz;
CREATE INDEX clicks_client_expires ON clicks (client_expires_at) WHERE client_sealed IS NOT NULL;

ALTER TABLE conversions ADD COLUMN IF NOT EXISTS client_sealed text;
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS client_expires_at timestamptz;
-- The click that it came from or names: whose visitor may yet refuse. For a page event also the page.
ALTER TABLE conversions ADD COLUMN click_id text;
ALTER TABLE conversions ADD COLUMN source_url text;
CREATE INDEX conversions_click ON conversions (tenant_id, click_id)
    WHERE click_id IS NOT NULL AND state IN ('pending', 'queued', 'held');
CREATE INDEX conversions_pages ON conversions (received_at) WHERE kind <> 'purchase';
-- Purchases first, however many page events are held beside them.
CREATE INDEX conversions_due ON conversions ((kind <> 'purchase'), held_until) WHERE state = 'held';

ALTER TABLE outbox ADD COLUMN page boolean NOT NULL DEFAULT false;
CREATE INDEX outbox_unsent ON outbox (page, id) WHERE sent_at IS NULL;
"""

DOWN = """
DELETE FROM conversions WHERE kind IN ('pageview', 'checkout');
DROP INDEX outbox_unsent, conversions_due, conversions_pages, conversions_click, clicks_client_expires;
ALTER TABLE outbox DROP COLUMN page;
ALTER TABLE conversions DROP COLUMN click_id, DROP COLUMN source_url,
    DROP COLUMN IF EXISTS client_sealed, DROP COLUMN IF EXISTS client_expires_at;
ALTER TABLE clicks DROP COLUMN fbc, DROP COLUMN client_sealed, DROP COLUMN client_expires_at;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
