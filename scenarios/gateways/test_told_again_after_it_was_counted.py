"""G-62  A sale that Meta has counted is told again by its gateway, and Meta hears nothing of it.

Given  a sale that Meta has counted
When   its gateway, which has missed the first answer, delivers it twice more, and a later order has gone through
Then   both are answered with 202, and Meta was told of the sale once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-62", proves=("gateway/idempotent",))
@pytest.mark.each_gateway
def test_told_again_after_it_was_counted(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    # When
    answers = [order.deliver().status for _ in range(2)]
    pipeline.a_later_order_arrives()
    # Then
    assert answers == [202, 202], f"every delivery must be answered with 202; they were {answers}"
    told = len(pipeline.meta.events_about(order))
    assert told == 1, f"Meta must be told of the sale once; it was told {told} times"
