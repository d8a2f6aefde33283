"""R-02  With the relay dead, webhooks are still accepted, and nothing is lost.

Given  a relay that was killed with `kill -9`
When   orders are accepted, and the relay is started again
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-02", proves=("011.3/retry",))
@pytest.mark.exclusive
def test_relay_killed_loses_nothing(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.kill("relay")
    # When
    orders = [pipeline.gateway(like="hotmart").order() for _ in range(5)]
    try:
        answers = [order.deliver() for order in orders]
    finally:
        pipeline.target.start("relay")
    # Then
    must_accept(answers, "without the relay webhooks must still be accepted")
    for order in orders:
        pipeline.meta.wait_until_counted(order)
