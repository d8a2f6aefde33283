"""R-75  An open breaker asks nothing before its time is over, and closes after it.

Given  a breaker that has tripped; its time to wait is the target's own, not one that was cut short for a test
When   most of that time passes, and then the rest
Then   before, a sale is held and Meta is asked nothing; after, Meta is asked again, and every sale is counted once
"""

import pytest

from harness.testing import TravellingPipeline


@pytest.mark.scenario("R-75", proves=("011.3/breaker", "risk/breaker-spike"))
@pytest.mark.time_travel(day=220, days=2)
@pytest.mark.exclusive
def test_breaker_waits_its_time(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="stripe")
    wait_s = pipeline.timings.breaker_reset_s
    pipeline.meta.arm("brown_out", strikes=None)
    orders = [gateway.order() for _ in range(pipeline.timings.breaker_threshold)]
    for number, order in enumerate(orders, 1):
        order.deliver()
        pipeline.meta.wait_for_calls(number)  # one failure each: together they might share a call
    pipeline.wait_until_breaker("open")
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    asked = len(pipeline.meta.probe.calls())
    # When
    pipeline.travel(seconds=wait_s / 2)
    early = gateway.order()
    early.deliver()
    pipeline.database.wait_for_state(early, "held")
    # Then
    more = len(pipeline.meta.probe.calls()) - asked
    assert more == 0, f"the breaker must be open for {wait_s:g} s; after half of them Meta was asked {more} times"
    pipeline.meta.disarm()
    pipeline.travel(seconds=2 * wait_s)
    pipeline.wait_until_breaker("closed")
    pipeline.travel(minutes=30)  # what was refused while the probe was under way waits for its end
    pipeline.a_later_order_arrives()
    for order in (*orders, early):
        pipeline.meta.wait_until_counted(order)
