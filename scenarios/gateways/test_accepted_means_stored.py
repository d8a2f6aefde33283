"""G-23  What is answered with 202 is already stored.

Given  a tenant whose gateway is configured
When   the gateway tells of five paid orders, one after the other
Then   each is found in the target's database the moment its 202 is here: the answer follows the commit
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-23", proves=("gateway/persisted", "gateway/202"))
@pytest.mark.each_gateway
def test_accepted_means_stored(pipeline: Pipeline) -> None:
    gateway = pipeline.gateway()
    for _ in range(5):
        # When
        order = gateway.order()
        answer = order.deliver()
        # Then
        stored = pipeline.database.conversion(order)
        assert answer.status == 202, f"a genuine webhook must be answered with 202; it was {answer.status}"
        assert stored is not None, (
            f"sale {order.sale_id} was answered with 202 before it was stored: a crash would lose it"
        )
