"""R-49  Sales whose messages are gone from the queue are found again.

Given  a consumer that is down, and accepted sales whose messages stand in the queue
When   the queue is purged, and the consumer started again
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept, wait_until


@pytest.mark.scenario("R-49", proves=("011.3/retry",), guards="a purged queue, an expired message")
@pytest.mark.exclusive
def test_queue_is_purged(pipeline: Pipeline) -> None:
    # Given
    orders = [pipeline.gateway(like="stripe").order() for _ in range(5)]
    with pipeline.fault("process.kill", role="consumer"):
        answers = [order.deliver() for order in orders]
        must_accept(answers, "without the consumer webhooks must still be accepted")
        queue = pipeline.queue
        limit_s = pipeline.timings.dispatch_s
        wait_until(queue.depth, lambda found: found >= 5, goal="five messages in the queue", within_s=limit_s)
        # When
        queue.purge()
        wait_until(queue.depth, lambda found: found == 0, goal="an empty queue", within_s=limit_s)
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order, within_s=pipeline.timings.strays_s + limit_s)
    pipeline.settle()
