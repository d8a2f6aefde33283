"""A-03  analytics_metrics_daily has one row for the tenant's day, and a duplicate does not inflate it.

Given  three orders, one of them delivered three times by its gateway
When   Meta has counted all of them
Then   the row of today, by the tenant's own clock, says three events and three dispatched
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from harness.testing import Pipeline

METRICS = """
SELECT string_agg(date || ': ' || total_events || ' events, ' || dispatch_success || ' dispatched', '; ' ORDER BY date)
FROM analytics_metrics_daily WHERE tenant_id = %(tenant)s
"""


@pytest.mark.scenario("A-03", proves=("011.5b/metrics-daily",))
def test_metrics_of_the_day(pipeline: Pipeline) -> None:
    # Given
    before = today(pipeline)
    orders = [pipeline.gateway(like=name).order() for name in ("stripe", "kiwify", "perfectpay")]
    # When
    for order in (*orders, orders[0], orders[0]):
        order.deliver()
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    # Then
    if before != today(pipeline):
        pipeline.not_applicable("the tenant's midnight passed while this scenario ran")
    wanted = f"{before}: 3 events, 3 dispatched"
    pipeline.database.wait_for_value(METRICS, wanted, goal=f"analytics_metrics_daily says {wanted}")


def today(pipeline: Pipeline) -> str:
    """The date where the tenant lives."""
    return (
        datetime.fromtimestamp(pipeline.now_s(), UTC).astimezone(ZoneInfo(pipeline.tenant.timezone)).date().isoformat()
    )
