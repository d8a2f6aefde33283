"""R-81  A day in the numbers ends at the tenant's midnight, not at Greenwich's.

Given  a tenant in São Paulo, three hours behind Greenwich
When   something is sold there ten minutes before midnight, and something else ten minutes after
Then   each stands in the numbers of its own day, although in Greenwich it is the same one
"""

import pytest

from harness.testing import TravellingPipeline

DAYS = """
SELECT string_agg(date || ' ' || total_events, ', ' ORDER BY date) FROM analytics_metrics_daily
WHERE tenant_id = %(tenant)s
"""


@pytest.mark.scenario("R-81", proves=("011.5b/metrics-daily", "011.5b/fresh"))
@pytest.mark.time_travel(day=720, days=4)
@pytest.mark.exclusive
def test_day_ends_at_the_tenants_midnight(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="stripe")
    zone = pipeline.tenant.timezone
    # When
    wanted = []
    for hour, minute in ((23, 50), (0, 10)):
        pipeline.travel_to(pipeline.next_local(hour, minute, zone=zone))
        wanted.append(f"{pipeline.local_date(zone=zone)} 1")
        order = gateway.order()
        order.deliver()
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
    pipeline.travel(minutes=5)
    # Then
    pipeline.database.wait_for_value(DAYS, ", ".join(wanted), goal=f"one sale on each day of {zone}: {wanted}")
