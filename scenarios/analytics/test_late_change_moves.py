"""A-06  A conversion that ends late moves from one status to another, and is never in both or in none.

Given  three orders that are held because the token has expired, and stand so in the numbers
When   the token is renewed and Meta counts them
Then   the numbers have moved from `held` to `sent`, and there are still three
"""

import pytest

from harness.testing import Pipeline

SUMMARY = """
SELECT string_agg(status || ' ' || conversions, ', ' ORDER BY status) FROM (
    SELECT status, sum(conversions) AS conversions FROM v_dispatch_summary WHERE tenant_id = %(tenant)s GROUP BY status
) AS lines
"""


@pytest.mark.scenario("A-06", proves=("011.5b/dispatch-summary", "011.5b/fresh"))
def test_late_change_moves(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.expire_token()
    orders = [pipeline.gateway(like="hotmart").order() for _ in range(3)]
    try:
        for order in orders:
            order.deliver()
        pipeline.database.wait_for_value(SUMMARY, "held 3", goal="three held in v_dispatch_summary")
    finally:
        # When
        pipeline.meta.renew_token()
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_value(SUMMARY, "sent 3", goal="three sent in v_dispatch_summary")
    total = pipeline.database.value(
        "SELECT sum(total_events)::int FROM analytics_metrics_daily WHERE tenant_id = %(tenant)s"
    )
    assert total == 3, f"three orders are three events, whatever became of them; the view says {total}"
