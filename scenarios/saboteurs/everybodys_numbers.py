"""The numbers lack a WHERE: every customer's dashboard adds up all customers' sales."""

from typing import Any

from reference_impl.analytics import rollup
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("A-05",)

_ALL = """
UPDATE analytics_daily d SET total = all_of.total
FROM (SELECT date, gateway, kind, sum(total)::bigint AS total FROM analytics_daily GROUP BY 1, 2, 3) AS all_of
WHERE (d.date, d.gateway, d.kind) = (all_of.date, all_of.gateway, all_of.kind) AND d.total <> all_of.total
"""


def patch() -> None:
    """One tenant's row holds everybody's sales."""

    def make(old: Any) -> Any:
        def refresh(connection: Any) -> Any:
            done = old(connection)
            if connection.execute(_ALL).rowcount:
                bite()
            return done

        return refresh

    swap(rollup, "refresh", make)
