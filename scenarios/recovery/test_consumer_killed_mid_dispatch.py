"""R-01  A consumer killed between Meta's answer and the delete doubles nothing.

Given  a Meta that has counted an order but whose answer is still on its way
When   the consumer is killed with `kill -9` and started again
Then   the message is seen again, sent under the same event id, and the order stays counted once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-01", proves=("011.3/retry",))
@pytest.mark.exclusive
def test_consumer_killed_mid_dispatch(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("hang_after_work", strikes=1, hang_s=30)
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    first = pipeline.meta.wait_until_counted(order)
    # When
    pipeline.target.restart("consumer")
    # Then
    within_s = pipeline.timings.redelivery_s + pipeline.timings.dispatch_s
    tries = pipeline.meta.wait_for_events(order, count=2, within_s=within_s)
    assert {one["event_id"] for one in tries} == {first["event_id"]}, "every try must carry the same event id"
    assert pipeline.meta.counted(order) == 1, "the sale must be counted once"
    pipeline.database.wait_for_state(order, "delivered")
