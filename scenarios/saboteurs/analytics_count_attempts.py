"""The plan's own SQL joins conversions with attempts and counts rows: every retry is one more sale."""

from typing import Any

from reference_impl.analytics import rollup
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("A-01",)

_INFLATE = """
UPDATE analytics_daily d SET delivered = d.delivered + tries.more
FROM (
    SELECT c.tenant_id, c.gateway, c.kind, count(*) - count(DISTINCT c.id) AS more
    FROM dispatch_attempts a JOIN conversions c ON c.id = a.conversion_id GROUP BY 1, 2, 3
) AS tries
WHERE (d.tenant_id, d.gateway, d.kind) = (tries.tenant_id, tries.gateway, tries.kind) AND d.delivered > 0
"""


def patch() -> None:
    """Count what was tried."""

    def make(old: Any) -> Any:
        def done(connection: Any, *given: Any, **named: Any) -> Any:
            # Within the refresh's own transaction: nobody sees the right number in between.
            if connection.execute(_INFLATE).rowcount:
                bite()
            return old(connection, *given, **named)

        return done

    swap(rollup, "_done", make)
