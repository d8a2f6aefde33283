"""R-40  With AWS gone, sales are still accepted, and all are counted once when it is back.

Given  a tenant whose sales go through, and an AWS endpoint that then refuses every connection
When   sales come, and the endpoint listens again
Then   each was accepted, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-40", proves=("011.3/retry",), guards="sales during an outage of SQS")
@pytest.mark.exclusive
def test_queue_gone_while_sales_come(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe")
    pipeline.a_later_order_arrives()
    first = gateway.order()
    # its secret is known to the front door from now on
    must_accept(first.deliver())
    pipeline.meta.wait_until_counted(first)
    # When
    with pipeline.fault("aws.gone"):
        orders = [gateway.order() for _ in range(12)]
        answers = [order.deliver() for order in orders]
        told_meanwhile = [order.sale_id for order in orders if pipeline.meta.counted(order)]
    # Then
    must_accept(answers, "without SQS webhooks must still be accepted")
    assert not told_meanwhile, "sales went round the queue: the endpoint was not gone"
    for order in orders:
        pipeline.meta.wait_until_counted(order)
