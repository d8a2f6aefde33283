"""R-55  A 429 with an HTML page is a throttle, not a verdict on the event.

Given  an edge before Meta that answers 429 with an HTML page
When   a sale is accepted, and the edge lets calls through again
Then   Meta counts the sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-55", proves=("011.3/retry", "011.3/dlq"), guards="good sales thrown away for a busy edge")
def test_throttle_as_html_is_no_poison(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("html_429", strikes=2)
    order = pipeline.gateway(like="kiwify").order()
    # When
    must_accept(order.deliver())
    # Then
    pipeline.meta.wait_for_calls(2, status=429)
    pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(order, "delivered")
