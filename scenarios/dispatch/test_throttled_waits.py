"""D-08  Throttled by Meta, the target waits and loses nothing.

Given  a Meta that answers twice with its rate limit
When   an order is accepted
Then   it is sent again under the same event id and counted once; a throttle does not open the breaker
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-08", proves=("011.3/retry",))
def test_throttled_waits(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("throttle", strikes=2, regain_minutes=0)
    # When
    order = pipeline.gateway(like="perfectpay").order()
    order.deliver()
    # Then
    pipeline.meta.wait_until_counted(order)
    assert len({one["event_id"] for one in pipeline.meta.events_about(order)}) == 1, (
        "every try must carry the same event id"
    )
    assert pipeline.breaker() in (None, "closed"), "being throttled proves Meta alive"
