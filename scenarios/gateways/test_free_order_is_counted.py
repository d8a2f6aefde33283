"""G-19  A free order is an order.

Given  an order with a coupon of 100 %
When   it is delivered
Then   Meta counts a Purchase of value 0
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-19", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_free_order_is_counted(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order(amount=Decimal(0))
    # When
    order.deliver()
    # Then
    custom = pipeline.meta.wait_until_counted(order)["custom_data"]
    assert Decimal(str(custom["value"])) == 0, "a free order has the value 0"
