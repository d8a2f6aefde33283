"""A-07  When the refresher was dead for a while, the numbers catch up, and nothing is missing.

Given  numbers that are fresh, and a scheduler that is then killed with `kill -9`
When   orders are delivered, and the scheduler is started again
Then   the views could be read all the while, and soon hold every order
"""

import pytest

from harness.testing import Pipeline

DELIVERED = "SELECT coalesce(sum(dispatch_success), 0)::int FROM analytics_metrics_daily WHERE tenant_id = %(tenant)s"


@pytest.mark.scenario("A-07", proves=("011.5b/fresh", "011.5b/metrics-daily"))
@pytest.mark.exclusive
def test_refresher_killed(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe")
    before = gateway.order()
    before.deliver()
    pipeline.database.wait_for_value(DELIVERED, 1, goal="the first order in analytics_metrics_daily")
    pipeline.target.kill("scheduler")
    # When
    later = [gateway.order() for _ in range(5)]
    try:
        for order in later:
            order.deliver()
            pipeline.meta.wait_until_counted(order)
        stale = pipeline.database.value(DELIVERED)
    finally:
        pipeline.target.start("scheduler")
    # Then
    assert stale == 1, f"without a refresher the views keep what they knew, one order; they say {stale}"
    pipeline.database.wait_for_value(
        DELIVERED,
        6,
        goal="all six orders in analytics_metrics_daily",
        within_s=pipeline.timings.analytics_s + pipeline.timings.start_s,
    )
