"""R-44  A message that comes late is not given up, and not sent twice when it comes.

Given  an SQS that keeps each message back for two seconds
When   sales are accepted
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-44", proves=("011.3/retry",), guards="late delivery")
@pytest.mark.exclusive
def test_messages_come_late(pipeline: Pipeline) -> None:
    # Given
    orders = [pipeline.gateway(like="stripe").order() for _ in range(10)]
    with pipeline.fault("aws.late_delivery", delay_s=2) as fault:
        # When
        answers = [order.deliver() for order in orders]
        # Then
        must_accept(answers)
        for order in orders:
            pipeline.meta.wait_until_counted(order)
    fault.must_have_struck()
