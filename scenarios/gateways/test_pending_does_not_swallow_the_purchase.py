"""G-11  A sale that was pending first is still counted when it is paid.

Given  a gateway that has told of a pending payment (boleto, Pix)
When   the same sale is paid
Then   Meta counts it once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-11", proves=("gateway/normalised", "gateway/idempotent"))
@pytest.mark.each_gateway
def test_pending_does_not_swallow_the_purchase(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    if "pending" in gateway.events():
        order.deliver("pending")
    else:
        pipeline.note(f"{gateway.name} ({gateway.dialect}) has no pending")
    # When
    order.deliver("approved")
    # Then
    pipeline.meta.wait_until_counted(order)
