"""P-03  The queue carries an id and nothing else.

Given  a consumer that is down, so that messages stay in the queue
When   an order is accepted
Then   its message holds neither plain nor hashed personal data; with the consumer back, Meta counts the order
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-03", proves=("constraint/lgpd",))
@pytest.mark.exclusive
def test_queue_carries_only_the_id(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.kill("consumer")
    try:
        # When
        order = pipeline.gateway("hotmart").order()
        order.deliver()
        bodies = pipeline.wait_for_messages()
        # Then
        for body in bodies:
            for word in (*order.keys, *(canary.text for canary in order.canaries())):
                assert word not in body, "a queue message holds personal data"
    finally:
        pipeline.target.start("consumer")
    pipeline.meta.wait_until_counted(order)
