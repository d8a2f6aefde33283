"""G-12  A refund is no event: Meta has no negative purchases.

Given  a sale that Meta has counted
When   the buyer is paid back
Then   the webhook is accepted, and Meta hears nothing more about the sale
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-12", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_refund_is_no_event(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    if "refunded" not in gateway.events():
        pipeline.not_applicable("there is no refund")
    order.deliver("approved")
    pipeline.meta.wait_until_counted(order)
    # When
    answer = order.deliver("refunded")
    # Then
    must_accept(answer, "a refund must be accepted")
    pipeline.a_later_order_arrives()
    pipeline.meta.must_count_once(order)
