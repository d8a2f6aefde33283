"""G-08  Two deliveries in the same moment are one sale.

Given  a paid order
When   four copies of its webhook arrive at once, on four connections
Then   every copy is accepted, and Meta has counted it once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-08", proves=("gateway/idempotent",))
@pytest.mark.each_gateway
def test_duplicate_twins_are_counted_once(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answers = order.deliver_at_once(4)
    # Then
    must_accept(answers)
    pipeline.meta.wait_until_counted(order)
    pipeline.settle()
    pipeline.meta.must_count_once(order)
