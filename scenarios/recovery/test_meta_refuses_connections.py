"""R-37  A Meta that refuses every connection is no reason to give a sale up: it is sent once somebody listens.

Given  a network in which nobody listens where Meta is
When   sales are accepted, tried in vain, and somebody listens again
Then   none went to the dead letters, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-37", proves=("011.3/retry", "011.3/dlq"), guards="good sales thrown away for a broken network")
@pytest.mark.exclusive
def test_meta_refuses_connections(pipeline: Pipeline) -> None:
    # Given
    pipeline.network.must_have("meta")
    orders = [pipeline.gateway(like="stripe").order() for _ in range(3)]
    with pipeline.network.arm("meta", "down"):
        # When
        for order in orders:
            must_accept(order.deliver(), "a Meta that is away must not be seen at the front door")
        for order in orders:
            pipeline.database.wait_for_state(order, "held")  # tried, in vain, and to be tried again
        assert not any(pipeline.meta.events_about(order) for order in orders), "Meta was there: the fault did not act"
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
