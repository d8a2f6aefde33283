"""The front door's configuration, the sealed address and browser, and what retention needs to find its rows.

The plain address and browser of purchases that are still on their way are dropped, not moved: a migration has no key to
seal them with, and Meta can do without them.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_EMPTY = "no customer yet: the tables are empty"
AGREED = {
    **dict.fromkeys(
        ("conversions_client_expires", "conversions_with_hashes", "clicks_clicked", "visits_seen", "outbox_sent"),
        _EMPTY,
    ),
    "conversions": _EMPTY,
    "conversions.user_data": "the plain address and browser go: nobody may keep them, and Meta can do without",
}

UP = """
-- A gateway as a whole; without a row it is on, and open to every address. The stricter of its flag and the tenant's
-- wins; a tenant's own list of addresses takes the place of the gateway's.
CREATE TABLE gateways (
    gateway text PRIMARY KEY,
    flag    text NOT NULL DEFAULT 'on' CHECK (flag IN ('on', 'hold', 'off')),
    allowed text[] NOT NULL DEFAULT '{}'
);
ALTER TABLE tenant_gateways ADD COLUMN allowed text[] NOT NULL DEFAULT '{}';

-- Rises with every change of the tenant's gateway secrets, so that no process goes on with those that it has cached. It
-- stands here and not with the tenant, because a webhook reads this row anyhow; all of a tenant's rows say the same.
ALTER TABLE tenant_gateways ADD COLUMN secrets_version bigint NOT NULL DEFAULT 0;
CREATE SEQUENCE secrets_versions;

UPDATE conversions SET user_data = user_data - 'client_ip_address' - 'client_user_agent'
WHERE user_data ?| ARRAY['client_ip_address', 'client_user_agent'];

-- What retention looks for; rows leave these indexes when it has done its work.
CREATE INDEX IF NOT EXISTS conversions_client_expires ON conversions (client_expires_at)
    WHERE client_sealed IS NOT NULL;
CREATE INDEX IF NOT EXISTS conversions_with_hashes ON conversions (received_at) WHERE user_data <> '{}';
CREATE INDEX IF NOT EXISTS clicks_clicked ON clicks (clicked_at);
CREATE INDEX IF NOT EXISTS visits_seen ON visits (seen_at);
CREATE INDEX IF NOT EXISTS outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;
"""

DOWN = """
DROP INDEX IF EXISTS conversions_client_expires, conversions_with_hashes, clicks_clicked, visits_seen, outbox_sent;
ALTER TABLE tenant_gateways DROP COLUMN allowed, DROP COLUMN secrets_version;
DROP SEQUENCE secrets_versions;
DROP TABLE gateways;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
