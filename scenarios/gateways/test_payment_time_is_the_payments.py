"""G-22  The event carries the time of the payment, not of its receipt.

Given  an order that was paid two hours before its webhook came
When   it is delivered
Then   Meta is told the payment's own time: never the receipt, never three hours off, never in the future
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-22", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_payment_time_is_the_payments(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order(paid_ago_s=7200)
    # When
    order.deliver()
    # Then
    event = pipeline.meta.wait_until_counted(order)
    if gateway.name == "kiwify" and gateway.dialect == "plan":
        pipeline.note("the plan's Kiwify body has no payment time: the first receipt counts")
        assert event["event_time"] <= pipeline.now_s(), "no event may lie in the future"
        return
    off_s = event["event_time"] - order.order.paid_at_s
    assert abs(off_s) < 60, f"event_time is {off_s:+d} s from the payment's confirmation"
