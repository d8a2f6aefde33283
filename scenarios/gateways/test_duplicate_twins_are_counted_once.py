"""G-08  Two deliveries in the same moment are one sale.

Given  a paid order
When   four copies of its webhook arrive at once, on four connections
Then   every copy is answered with 202, and Meta was told once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-08", proves=("gateway/idempotent",))
@pytest.mark.each_gateway
def test_duplicate_twins_are_counted_once(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answers = order.deliver_at_once(4)
    # Then
    assert [one.status for one in answers] == [202] * 4, "a genuine webhook must be accepted"
    pipeline.meta.wait_until_counted(order)
    pipeline.settle()
    told = len(pipeline.meta.events_about(order))
    assert told == 1, f"Meta must be told of the sale once; it was told {told} times"
