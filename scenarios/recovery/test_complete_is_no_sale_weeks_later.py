"""R-80  Hotmart's COMPLETE, three weeks after the sale, is not a second sale.

Given  a Hotmart sale that Meta has counted, and has forgotten the event id of since
When   its guarantee ends three weeks later, and Hotmart tells the same transaction as COMPLETE
Then   it is accepted; Meta hears nothing new, and the sale is stored once
"""

import pytest

from harness.testing import TravellingPipeline


@pytest.mark.scenario("R-80", proves=("gateway/idempotent",))
@pytest.mark.each_gateway(only=("hotmart",), dialects=("vendor",))
@pytest.mark.time_travel(day=680, days=30)
@pytest.mark.exclusive
def test_complete_is_no_sale_weeks_later(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    order = pipeline.gateway().order()
    order.deliver("approved")
    pipeline.meta.wait_until_counted(order)
    # When
    pipeline.travel(days=21)
    answer = order.deliver("complete")
    # Then
    assert answer.status == 202
    pipeline.a_later_order_arrives()
    assert len(pipeline.meta.everything_about(order)) == 1, "Meta must hear of a sale once"
    pipeline.database.wait_for_state(order, "delivered")  # and is stored once, or this would say so
