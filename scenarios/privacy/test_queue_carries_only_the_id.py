"""P-03  The queue carries an id and nothing else.

Given  a consumer that is down, so that messages stay in the queue
When   an order is accepted
Then   its message and the message's attributes hold neither plain nor hashed personal data; with the consumer back,
       Meta counts the order
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
        order = pipeline.gateway(like="hotmart").order()
        order.deliver()
        messages = pipeline.wait_for_messages()
        # Then
        for message in messages:
            for canary in order.canaries():
                assert not canary.stands_in(message), f"a queue message holds the buyer's {canary.kind}"
            for key in order.keys:
                assert key not in message.lower(), "a queue message holds a hash of the buyer's e-mail or phone"
    finally:
        pipeline.target.start("consumer")
    pipeline.meta.wait_until_counted(order)
