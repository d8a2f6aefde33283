"""A-05  A sale is in its own tenant's numbers and in nobody else's.

Given  two tenants who use the same gateways
When   one sells twice and the other once, under the same sale id
Then   each has its own count in every view
"""

import pytest

from harness.testing import Pipeline

VIEWS = {
    "analytics_metrics_daily": """
        SELECT sum(total_events)::int FROM analytics_metrics_daily WHERE tenant_id = %(tenant)s
    """,
    "v_match_rate_by_tenant": "SELECT sum(purchases)::int FROM v_match_rate_by_tenant WHERE tenant_id = %(tenant)s",
    "v_dispatch_summary": "SELECT sum(conversions)::int FROM v_dispatch_summary WHERE tenant_id = %(tenant)s",
}


@pytest.mark.scenario(
    "A-05",
    proves=("011.5b/dispatch-summary", "011.5b/match-rate-by-tenant", "011.5b/metrics-daily"),
    tenants=2,
)
def test_one_tenants_numbers(pipeline: Pipeline) -> None:
    # Given
    ours = pipeline.gateway(like="stripe")
    theirs = pipeline.gateway(ours.name, tenant=pipeline.other_tenant)
    shared, other = ours.order(), ours.order()
    # When
    for order in (shared, other, shared.at(theirs)):
        order.deliver()
        pipeline.meta_of(order.gateway.tenant).wait_until_counted(order)
    # Then
    for view, query in VIEWS.items():
        pipeline.database.wait_for_value(query, 2, goal=f"two of the first tenant in {view}")
        pipeline.database.wait_for_value(query, 1, goal=f"one of the second in {view}", tenant=pipeline.other_tenant)
