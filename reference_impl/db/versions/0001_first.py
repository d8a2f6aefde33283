"""The first schema: tenants, tracking, conversions, outbox, attempts, breakers.

Personal data: conversions and visits hold SHA-256 hashes only. An unsalted hash of a phone can be enumerated,
so it is still personal data, and has its expiry. The buyer's address and browser stand in `conversions.user_data` until
the dispatch, and are taken out with it.
"""

from alembic import op

revision = "0001"
down_revision = None

UP = """
-- A customer of ours.
CREATE TABLE tenants (
    id         text PRIMARY KEY,
    pixel_id   text NOT NULL,
    timezone   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON tenants (pixel_id);

-- A gateway that a tenant uses: the dialect is configuration, never sniffed; the flag is on, hold or off.
CREATE TABLE tenant_gateways (
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    gateway   text NOT NULL,
    dialect   text NOT NULL CHECK (dialect IN ('plan', 'vendor')),
    flag      text NOT NULL DEFAULT 'on' CHECK (flag IN ('on', 'hold', 'off')),
    PRIMARY KEY (tenant_id, gateway)
);

-- A visit: the click that brought it, and the hashes that the visitor left at the checkout.
CREATE TABLE clicks (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    click_id   text NOT NULL,
    clicked_at timestamptz NOT NULL,
    url        text,
    fbclid     text,
    fbp        text,
    consent    text NOT NULL DEFAULT 'unknown' CHECK (consent IN ('granted', 'denied', 'unknown')),
    campaign   jsonb NOT NULL DEFAULT '{}',
    em         text,
    ph         text,
    PRIMARY KEY (tenant_id, click_id)
);
CREATE INDEX ON clicks (tenant_id, fbclid) WHERE fbclid IS NOT NULL;
CREATE INDEX ON clicks (tenant_id, em) WHERE em IS NOT NULL;
CREATE INDEX ON clicks (tenant_id, ph) WHERE ph IS NOT NULL;

-- A page that a visitor saw, once each: pageview or checkout.
CREATE TABLE visits (
    tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    event_id  text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('pageview', 'checkout')),
    click_id  text,
    seen_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind, event_id)
);

-- What has been heard of, ever: the identity of a sale's purchase or reversal. Outlives the conversion.
CREATE TABLE dedupe_registry (
    tenant_id     text NOT NULL,
    gateway       text NOT NULL,
    sale_id       text NOT NULL,
    kind          text NOT NULL,
    event_id      text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, gateway, sale_id, kind)
);
CREATE INDEX ON dedupe_registry (first_seen_at);

-- A purchase on its way to Meta. `claimed_until` is a lease by this database's clock.
CREATE TABLE conversions (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    gateway         text NOT NULL,
    sale_id         text NOT NULL,
    kind            text NOT NULL,
    event_id        text NOT NULL,
    event_name      text NOT NULL,
    event_time      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    amount          numeric NOT NULL CHECK (amount >= 0),
    currency        text NOT NULL,
    product_id      text,
    user_data       jsonb NOT NULL,
    state           text NOT NULL CHECK (state IN
                    ('pending', 'queued', 'held', 'delivered', 'dead_lettered', 'expired', 'suppressed')),
    held_until      timestamptz,
    hold_reason     text,
    claimed_until   timestamptz,
    attempts        integer NOT NULL DEFAULT 0,
    last_code       integer,
    last_subcode    integer,
    unknown_outcome boolean NOT NULL DEFAULT false,
    delivered_at    timestamptz,
    UNIQUE (tenant_id, gateway, sale_id, kind)
);
CREATE INDEX ON conversions (held_until) WHERE state = 'held';
CREATE INDEX ON conversions (tenant_id, hold_reason) WHERE state IN ('held', 'pending', 'queued');
CREATE INDEX ON conversions (received_at) WHERE state IN ('pending', 'queued');

-- What SQS must be told of; written in the transaction that writes the conversion.
CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversion_id uuid NOT NULL REFERENCES conversions ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX ON outbox (conversion_id);

-- Which click a purchase came from, and how that was found out.
CREATE TABLE matches (
    conversion_id uuid PRIMARY KEY REFERENCES conversions ON DELETE CASCADE,
    tenant_id     text NOT NULL,
    click_id      text NOT NULL,
    method        text NOT NULL CHECK (method IN ('click_id', 'fbclid', 'email', 'phone')),
    created_at    timestamptz NOT NULL
);
CREATE INDEX matches_tenant_created ON matches (tenant_id, created_at DESC);

-- Every try, with Meta's answer; status `sent` is a success.
CREATE TABLE dispatch_attempts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL,
    conversion_id uuid NOT NULL REFERENCES conversions ON DELETE CASCADE,
    status        text NOT NULL,
    http_status   integer,
    code          integer,
    subcode       integer,
    duration_ms   integer,
    batch_id      uuid,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dispatch_attempts_tenant_status_created ON dispatch_attempts (tenant_id, status, created_at DESC);
CREATE INDEX ON dispatch_attempts (conversion_id);

-- One circuit breaker for each pixel, shared by all replicas.
CREATE TABLE breakers (
    pixel_id       text PRIMARY KEY,
    state          text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    failures       integer NOT NULL DEFAULT 0,
    opened_at      timestamptz,
    last_closed_at timestamptz,
    probe_until    timestamptz
);
"""

DOWN = """
DROP TABLE breakers, dispatch_attempts, matches, outbox, conversions, dedupe_registry, visits, clicks,
           tenant_gateways, tenants;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
