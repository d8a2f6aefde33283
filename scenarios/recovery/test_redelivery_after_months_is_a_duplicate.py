"""R-77  A sale that is told again months later is known again.

Given  a sale that Meta has counted
When   the vendor delivers its webhook again after 100 days, and after 179
Then   both are accepted as duplicates: Meta hears nothing, and the sale is stored once
"""

from functools import partial

import pytest

from harness.testing import TravellingPipeline, must_accept, wait_until


@pytest.mark.scenario("R-77", proves=("gateway/idempotent",))
@pytest.mark.each_gateway(only=("kiwify",), dialects=("plan",))  # tells no time of payment: its age would not stop it
@pytest.mark.time_travel(day=440, days=185)
@pytest.mark.exclusive
def test_redelivery_after_months_is_a_duplicate(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    order = pipeline.gateway().order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    for days in (100, 79):
        # When
        last = pipeline.orders[-1]
        pipeline.travel(days=days)
        if pipeline.info.target.keeps.hashes_days:  # then what tidies up has been at work, and has left the sale known
            look = partial(pipeline.database.shows, last.email_hash)
            goal = f"what need not be kept gone after {days} days"
            wait_until(look, lambda places: not places, goal=goal, within_s=pipeline.timings.dispatch_s)
        must_accept(order.deliver(), "a redelivery is no error")
        # Then
        pipeline.a_later_order_arrives()
        pipeline.meta.must_count_once(order)
        pipeline.database.wait_for_state(order, "delivered")  # and is stored once, or this would say so
