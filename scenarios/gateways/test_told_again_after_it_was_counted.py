"""G-62  A sale that Meta has counted is told again by its gateway, and Meta counts it no second time.

Given  a sale that Meta has counted
When   its gateway, which has missed the first answer, delivers it twice more, and a later order has gone through
Then   both are accepted, and Meta has counted the sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-62", proves=("gateway/idempotent",))
@pytest.mark.each_gateway
def test_told_again_after_it_was_counted(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    # When
    answers = [order.deliver() for _ in range(2)]
    pipeline.a_later_order_arrives()
    # Then
    must_accept(answers, "every delivery must be accepted")
    pipeline.meta.must_count_once(order)
