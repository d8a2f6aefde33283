"""R-46  A batch that SQS took, and whose answer was lost, is sent again and counted once.

Given  an SQS that takes batches, and whose first answers are lost with their connections
When   sales are accepted
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-46", proves=("011.3/retry",), guards="unknown outcome of SendMessageBatch")
@pytest.mark.exclusive
def test_answer_of_the_queue_is_lost(pipeline: Pipeline) -> None:
    # Given
    orders = [pipeline.gateway(like="kiwify").order() for _ in range(10)]
    with pipeline.fault("aws.lost_answer", operation="SendMessageBatch", strikes=4) as fault:
        # When
        answers = [order.deliver() for order in orders]
        # Then
        must_accept(answers)
        for order in orders:
            pipeline.meta.wait_until_counted(order)
    fault.must_have_struck()
    pipeline.settle()
    assert {pipeline.meta.counted(order) for order in orders} == {1}, "the sale must be counted once"
