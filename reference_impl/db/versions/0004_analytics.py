"""Analytics: numbers kept up to date from a log of changes, the plan's views over them; the dashboard's logins.

    conversions, matches ──triggers──▶ analytics_changes ──refresh──▶ analytics_quarters ──▶ analytics_daily ──▶ views

A trigger appends one small row for each change, in the transaction that makes the change, so a number can be neither
lost nor counted twice; nobody updates a shared counter while a webhook waits. The refresh takes the rows that it sees,
adds them up, and computes anew the (tenant, day)s that they touch: what it reads grows with what has changed, not
with what there is.

Quarters of an hour of UTC are what is kept, because a day is the tenant's: every zone's midnight falls on one, so days
can be drawn anew when a tenant's zone is corrected. Deleting a conversion takes nothing away: history outlives
retention.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
AGREED = {"conversions_in_trouble": "no customer yet: the table is empty"}

UP = """
-- Rather fail than let webhooks queue up behind a lock that is not to be had.

-- What has changed since the last refresh. Appended to by triggers, emptied by the refresh.
CREATE TABLE analytics_changes (
    tenant_id  text NOT NULL,
    quarter    timestamptz NOT NULL,
    gateway    text NOT NULL,
    kind       text NOT NULL,
    from_state text,
    to_state   text,
    matched    smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);

CREATE FUNCTION analytics_quarter(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('15 minutes', at, timestamptz '2000-01-01 00:00+00');

-- A zone that PostgreSQL does not know must not stop everybody's refresh.
CREATE FUNCTION analytics_zone(wanted text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM now() AT TIME ZONE wanted;
    RETURN wanted;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'UTC';
END $$;

CREATE FUNCTION analytics_on_conversion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_changes (tenant_id, quarter, gateway, kind, from_state, to_state, matched)
    VALUES (NEW.tenant_id, date_bin('15 minutes', NEW.received_at, timestamptz '2000-01-01 00:00+00'),
            NEW.gateway, NEW.kind, OLD.state, NEW.state, 0);
    RETURN NULL;
END $$;

CREATE FUNCTION analytics_on_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_changes (tenant_id, quarter, gateway, kind, matched)
    SELECT c.tenant_id, date_bin('15 minutes', c.received_at, timestamptz '2000-01-01 00:00+00'),
           c.gateway, c.kind, 1
    FROM conversions c WHERE c.id = NEW.conversion_id;
    RETURN NULL;
END $$;

-- For each row, not for each statement: a claim, a hold that is prolonged and a hash that is forgotten change no
-- number, and cost nothing this way; a statement's transition tables would copy every row of every UPDATE.
CREATE TRIGGER analytics_inserted AFTER INSERT ON conversions FOR EACH ROW EXECUTE FUNCTION analytics_on_conversion();
CREATE TRIGGER analytics_updated AFTER UPDATE OF state ON conversions FOR EACH ROW
    WHEN (replace(OLD.state, 'queued', 'pending') <> replace(NEW.state, 'queued', 'pending'))
    EXECUTE FUNCTION analytics_on_conversion();
CREATE TRIGGER analytics_matched AFTER INSERT ON matches FOR EACH ROW EXECUTE FUNCTION analytics_on_match();

-- The zone by which a tenant's days are drawn: `timezone` as the tenant has it, `zone` as PostgreSQL understands it.
CREATE TABLE analytics_zones (
    tenant_id text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    timezone  text NOT NULL,
    zone      text NOT NULL
);

-- Conversions by when they were received. `total` counts states that are not listed, too.
CREATE TABLE analytics_quarters (
    tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    quarter       timestamptz NOT NULL,
    gateway       text NOT NULL,
    kind          text NOT NULL,
    total         bigint NOT NULL,
    pending       bigint NOT NULL,
    held          bigint NOT NULL,
    delivered     bigint NOT NULL,
    dead_lettered bigint NOT NULL,
    expired       bigint NOT NULL,
    suppressed    bigint NOT NULL,
    matched       bigint NOT NULL,
    PRIMARY KEY (tenant_id, quarter, gateway, kind)
) WITH (fillfactor = 80);

-- The same by the tenant's days: what the views and the dashboard read.
CREATE TABLE analytics_daily (
    tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    date          date NOT NULL,
    gateway       text NOT NULL,
    kind          text NOT NULL,
    total         bigint NOT NULL,
    pending       bigint NOT NULL,
    held          bigint NOT NULL,
    delivered     bigint NOT NULL,
    dead_lettered bigint NOT NULL,
    expired       bigint NOT NULL,
    suppressed    bigint NOT NULL,
    matched       bigint NOT NULL,
    PRIMARY KEY (tenant_id, date, gateway, kind)
) WITH (fillfactor = 80);

-- The last refresh. `refreshed_at` null: there was none yet, and the next one counts what there is.
CREATE TABLE analytics_state (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    refreshed_at timestamptz,
    changes      bigint NOT NULL DEFAULT 0,
    took_ms      integer NOT NULL DEFAULT 0
);
INSERT INTO analytics_state DEFAULT VALUES;

-- How many conversions stand where, in the words of dispatch_attempts: `sent` is a success. Conversions, not tries.
CREATE VIEW v_dispatch_summary AS
SELECT d.tenant_id, d.date, d.gateway, d.kind, s.status, s.conversions, a.refreshed_at
FROM analytics_daily d
CROSS JOIN LATERAL (VALUES
    ('sent', d.delivered), ('pending', d.pending), ('held', d.held), ('dead_lettered', d.dead_lettered),
    ('expired', d.expired), ('suppressed', d.suppressed),
    ('other', d.total - d.delivered - d.pending - d.held - d.dead_lettered - d.expired - d.suppressed)
) AS s (status, conversions)
CROSS JOIN analytics_state a
WHERE s.conversions <> 0;

-- Of the purchases of a day, how many came from a click that we know; in percent.
CREATE VIEW v_match_rate_by_tenant AS
SELECT d.tenant_id, d.date, d.purchases, d.matched, round(100.0 * d.matched / nullif(d.purchases, 0), 2) AS match_rate,
       a.refreshed_at
FROM (SELECT tenant_id, date, sum(total)::bigint AS purchases, sum(matched)::bigint AS matched
      FROM analytics_daily WHERE kind = 'purchase' GROUP BY tenant_id, date) d
CROSS JOIN analytics_state a;

-- A tenant's day in one row. `success_rate`: of what has come to its end at Meta's door, how much was taken; in
-- percent.
CREATE VIEW analytics_metrics_daily AS
SELECT d.tenant_id, d.date, d.total_events, d.dispatch_success, d.dispatch_failed, d.dispatch_pending,
       d.dispatch_held, d.suppressed, d.purchases, d.matched,
       round(100.0 * d.dispatch_success / nullif(d.dispatch_success + d.dispatch_failed, 0), 2) AS success_rate,
       round(100.0 * d.matched / nullif(d.purchases, 0), 2) AS match_rate, a.refreshed_at
FROM (SELECT tenant_id, date, sum(total)::bigint AS total_events, sum(delivered)::bigint AS dispatch_success,
             sum(dead_lettered + expired)::bigint AS dispatch_failed, sum(pending)::bigint AS dispatch_pending,
             sum(held)::bigint AS dispatch_held, sum(suppressed)::bigint AS suppressed,
             coalesce(sum(total) FILTER (WHERE kind = 'purchase'), 0)::bigint AS purchases,
             coalesce(sum(matched) FILTER (WHERE kind = 'purchase'), 0)::bigint AS matched
      FROM analytics_daily GROUP BY tenant_id, date) d
CROSS JOIN analytics_state a;

-- What the dashboard lists by name: few rows, entered only by what is in trouble.
CREATE INDEX conversions_in_trouble ON conversions (tenant_id, received_at DESC)
    WHERE state IN ('dead_lettered', 'held');
-- The plan's; the first migration made them, a database from elsewhere may lack them.
CREATE INDEX IF NOT EXISTS dispatch_attempts_tenant_status_created
    ON dispatch_attempts (tenant_id, status, created_at DESC);
CREATE INDEX IF NOT EXISTS matches_tenant_created ON matches (tenant_id, created_at DESC);

-- Who may look. `name` is no e-mail address; the password is kept as a salted, slow hash.
CREATE TABLE dashboard_users (
    name          text PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
-- A browser that is logged in: what its cookie says, hashed, so that a stolen copy of this table opens nothing.
CREATE TABLE dashboard_sessions (
    token_hash text PRIMARY KEY,
    name       text NOT NULL REFERENCES dashboard_users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON dashboard_sessions (name);
-- Failed logins of late, by a hash of the name that was tried, whether or not there is such a user.
CREATE TABLE dashboard_failures (
    name_hash text PRIMARY KEY,
    failures  integer NOT NULL,
    until     timestamptz NOT NULL
);
"""

DOWN = """
DROP TABLE dashboard_failures, dashboard_sessions, dashboard_users;
DROP INDEX conversions_in_trouble;
DROP VIEW analytics_metrics_daily, v_match_rate_by_tenant, v_dispatch_summary;
DROP TRIGGER analytics_matched ON matches;
DROP TRIGGER analytics_updated ON conversions;
DROP TRIGGER analytics_inserted ON conversions;
DROP FUNCTION analytics_on_match, analytics_on_conversion, analytics_zone, analytics_quarter;
DROP TABLE analytics_state, analytics_daily, analytics_quarters, analytics_zones, analytics_changes;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
