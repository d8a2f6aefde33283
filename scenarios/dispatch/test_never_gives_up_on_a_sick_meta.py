"""D-13  However long Meta is ill, what it has not refused is not given up.

Given  a Meta that answers 500 to the first seven tries
When   an order is accepted
Then   it is tried for as long as it takes, under the same event id, counted once, and never called dead
"""

import pytest

from harness.testing import Pipeline

STRIKES = 7


@pytest.mark.scenario("D-13", proves=("011.3/retry", "011.3/dlq"))
def test_never_gives_up_on_a_sick_meta(pipeline: Pipeline) -> None:
    # Given
    timings = pipeline.timings
    pipeline.meta.arm("brown_out", strikes=STRIKES)
    # When
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    # Then
    limit_s = timings.dispatch_s + STRIKES * (timings.retry_s + timings.breaker_reset_s)
    pipeline.meta.wait_until_counted(order, within_s=limit_s)
    tries = pipeline.meta.events_about(order)
    assert len(tries) == STRIKES + 1, f"seven refusals and a success are eight tries; there were {len(tries)}"
    assert len({one["event_id"] for one in tries}) == 1, "every try must carry the same event id"
