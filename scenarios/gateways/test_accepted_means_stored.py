"""G-23  What is accepted is already stored.

Given  a tenant whose gateway is configured
When   the gateway tells of five paid orders, one after the other
Then   each is found in the target's database the moment it is accepted: the answer follows the commit
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-23", proves=("gateway/persisted",))
@pytest.mark.each_gateway
def test_accepted_means_stored(pipeline: Pipeline) -> None:
    gateway = pipeline.gateway()
    for _ in range(5):
        # When
        order = gateway.order()
        answer = order.deliver()
        # Then
        stored = pipeline.database.conversion(order)
        must_accept(answer)
        assert stored is not None, f"sale {order.sale_id} was accepted before it was stored: a crash would lose it"
