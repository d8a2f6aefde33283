"""D-12  Refused again and again, the target asks ever more rarely; being throttled does not open the breaker.

Given  a Meta that throttles more often than the breaker's threshold, without saying for how long
When   an order is accepted
Then   it is sent again after ever longer pauses, under the same event id, with the breaker closed, and counted once
"""

from itertools import pairwise

import pytest

from harness.testing import Pipeline

STRIKES = 10
LAST = 7
#: Of the longest pause. Random pauses of full jitter stay below it in one run of 1 000.
LEAST_GROWTH = 0.15


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
    shown = ", ".join(f"{one:.2f}" for one in pauses_s)
    pipeline.note(f"the pauses took {shown} s")
    # The shortest is what the target needs for a try, whatever it waits: a pipeline that looks once a second and has no
    # backoff leaves a second between its tries, too.
    growth_s = sum(pauses_s[-LAST:]) / LAST - min(pauses_s)
    assert growth_s >= LEAST_GROWTH * timings.retry_s, f"refused again and again, pauses must grow; they took {shown} s"
    assert len({one["event_id"] for one in tries}) == 1, "every try must carry the same event id"
