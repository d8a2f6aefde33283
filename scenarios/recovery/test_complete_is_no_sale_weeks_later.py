"""R-80  Hotmart's COMPLETE, five weeks after the sale, is not a second sale.

Given  a Hotmart sale that Meta has counted, and has forgotten the event id of since
When   its guarantee ends five weeks later, and Hotmart tells the same transaction as COMPLETE
Then   it is accepted; Meta hears nothing new, and the sale is stored once
"""

from functools import partial

import pytest

from harness.testing import TravellingPipeline, must_accept, wait_until


@pytest.mark.scenario("R-80", proves=("gateway/idempotent",))
@pytest.mark.each_gateway(only=("hotmart",), dialects=("vendor",))
@pytest.mark.time_travel(day=680, days=39)
@pytest.mark.exclusive
def test_complete_is_no_sale_weeks_later(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    order = pipeline.gateway().order()
    order.deliver("approved")
    pipeline.meta.wait_until_counted(order)
    # When
    pipeline.travel(days=35)
    if pipeline.info.target.keeps.hashes_days:  # then what tidies up has been at work, and has left the sale known
        look = partial(pipeline.database.shows, order.email_hash)
        goal = "what need not be kept gone after 35 days"
        wait_until(look, lambda places: not places, goal=goal, within_s=pipeline.timings.dispatch_s)
    answer = order.deliver("complete")
    # Then
    must_accept(answer)
    pipeline.a_later_order_arrives()
    pipeline.meta.must_count_once(order)
    pipeline.database.wait_for_state(order, "delivered")  # and is stored once, or this would say so
