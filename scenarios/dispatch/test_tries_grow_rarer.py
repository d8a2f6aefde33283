"""D-12  Refused again and again, the target asks ever more rarely; being throttled does not open the breaker.

Given  a Meta that throttles more often than the breaker's threshold, without saying for how long
When   an order is accepted
Then   it is sent again after ever longer pauses, under the same event id, with the breaker closed, and counted once
"""

from itertools import pairwise

import pytest

from harness.testing import Pipeline

STRIKES = 6


@pytest.mark.scenario("D-12", proves=("011.3/retry",))
def test_tries_grow_rarer(pipeline: Pipeline) -> None:
    # Given
    timings = pipeline.timings
    assert timings.breaker_threshold < STRIKES, "the target's breaker would open before the tries have been seen"
    pipeline.meta.arm("throttle", strikes=STRIKES, regain_minutes=0)
    # When
    order = pipeline.gateway(like="hotmart").order()
    order.deliver()
    # Then
    pipeline.meta.wait_for_calls(timings.breaker_threshold + 2)
    assert pipeline.breaker() in (None, "closed"), "being throttled proves Meta alive, and opens no breaker"
    pipeline.meta.wait_until_counted(order, within_s=timings.dispatch_s + STRIKES * timings.retry_s)
    tries = pipeline.meta.events_about(order)
    pauses_s = [later["call"]["at_s"] - earlier["call"]["at_s"] for earlier, later in pairwise(tries)]
    last_three_s = sum(pauses_s[-3:])
    # Random pauses: each may be short, three of the longest may not (with full jitter in one run of 30 000).
    assert last_three_s >= 0.5 * timings.retry_s, (
        f"after {STRIKES} refusals the pauses must have grown; the last three took {last_three_s:.2f} s together"
    )
    assert len({one["event_id"] for one in tries}) == 1, "every try must carry the same event id"
