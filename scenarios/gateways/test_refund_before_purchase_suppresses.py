"""G-13  A refund that overtakes its purchase suppresses it.

Given  a gateway that delivers out of order: the refund first
When   the purchase comes after it
Then   both are accepted, the conversion is stored as suppressed, and Meta hears of neither
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-13", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_refund_before_purchase_suppresses(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    if "refunded" not in gateway.events():
        pipeline.not_applicable("there is no refund")
    must_accept(order.deliver("refunded"))
    # When
    answer = order.deliver("approved")
    # Then
    must_accept(answer)
    pipeline.database.wait_for_state(order, "suppressed")
    pipeline.nothing_is_sent_about(order)
