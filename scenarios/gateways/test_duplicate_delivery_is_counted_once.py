"""G-07  A gateway may deliver as often as it likes: a sale is counted once.

Given  a paid order
When   the gateway delivers the same webhook three times
Then   every delivery is accepted, one conversion is stored, and Meta has counted it once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-07", proves=("gateway/idempotent",))
@pytest.mark.each_gateway
def test_duplicate_delivery_is_counted_once(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answers = [order.deliver() for _ in range(3)]
    # Then
    must_accept(answers, "every delivery must be accepted")
    pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()  # what is told twice may be told late
    pipeline.meta.must_count_once(order)
