"""R-45  A message that comes back while it is being worked on doubles nothing.

Given  a message that becomes visible again after a second, and a Meta that has counted but answers after two
When   a sale is accepted
Then   Meta counts it once, and it ends delivered
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-45", proves=("011.3/retry",), guards="visibility time-out in mid-work")
@pytest.mark.exclusive
def test_message_returns_in_mid_work(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway(like="hotmart").order()
    pipeline.meta.arm("hang_after_work", strikes=1, hang_s=2)
    with pipeline.fault("aws.visibility_lost", after_s=1) as fault:
        pipeline.target.restart("consumer")  # a receive that waits since before the fault has its own time-out
        # When
        answer = order.deliver()
        # Then
        must_accept(answer)
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
    fault.must_have_struck()
    pipeline.a_later_order_arrives()
    assert pipeline.meta.counted(order) == 1, "the sale must be counted once"
