"""G-07  A gateway may deliver as often as it likes: a sale is counted once.

Given  a paid order
When   the gateway delivers the same webhook three times
Then   every delivery is answered with 202, one conversion is stored, and Meta was told once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-07", proves=("gateway/idempotent", "gateway/202"))
@pytest.mark.each_gateway
def test_duplicate_delivery_is_counted_once(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answers = [order.deliver().status for _ in range(3)]
    # Then
    assert answers == [202, 202, 202], f"every delivery must be answered with 202; they were {answers}"
    pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()  # what is told twice may be told late
    told = len(pipeline.meta.events_about(order))
    assert told == 1, f"Meta must be told of the sale once; it was told {told} times"
