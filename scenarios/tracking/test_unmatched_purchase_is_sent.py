"""T-01  A buyer who came from nowhere is still a buyer.

Given  a purchase without any click
When   it is delivered
Then   Meta counts it by the buyer's hashes, and no match is stored
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-01", proves=("011.6/smoke-dispatch",))
@pytest.mark.each_gateway(rather="vendor")
def test_unmatched_purchase_is_sent(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    order.deliver()
    # Then
    pipeline.meta.wait_until_counted(order)
    assert pipeline.match_method() is None, "a purchase without a click must not be matched to one"
