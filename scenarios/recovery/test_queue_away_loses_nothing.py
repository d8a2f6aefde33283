"""R-34  While the queue is away sales are accepted all the same, and each is counted once when it is back.

Given  a tenant whose sales come in, and a target that cannot reach AWS any more
When   more sales are delivered, and the way is open again
Then   every one is accepted meanwhile, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-34", proves=("gateway/persisted",), guards="an outage of SQS")
@pytest.mark.any_gateway(like=("hotmart",), dialect="vendor")
@pytest.mark.exclusive
def test_queue_away_loses_nothing(pipeline: Pipeline) -> None:
    # Given
    before = pipeline.gateway().order()  # so that the tenant's secret has been read: who cannot verify cannot accept
    before.deliver()
    pipeline.meta.wait_until_counted(before)
    orders = []
    with pipeline.network.arm("aws", "down"):
        # When
        for _ in range(10):
            order = pipeline.gateway().order()
            answer = order.deliver()
            must_accept(answer, "a sale must be accepted while the queue is away")
            orders.append(order)
        waiting = sum(pipeline.meta.counted(order) == 0 for order in orders)
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order, within_s=pipeline.timings.dispatch_s + pipeline.timings.redelivery_s)
    pipeline.note(f"{waiting} of {len(orders)} sales waited for the queue; all were counted once")
