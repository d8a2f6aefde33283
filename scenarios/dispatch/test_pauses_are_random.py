"""D-30  The pauses between tries are random, so that what failed together does not come back together.

Given  a Meta that throttles for longer than pauses grow, without saying for how long
When   an order is accepted
Then   once the pauses have grown to their longest, they still differ, and the order is counted once
"""

from itertools import pairwise

import pytest

from harness.testing import Pipeline

STRIKES = 12
LAST = 8
#: Of the longest pause. Eight random pauses lie closer together in one run of 40 000.
LEAST_SPREAD = 0.2


@pytest.mark.scenario("D-30", proves=("011.3/retry",))
def test_pauses_are_random(pipeline: Pipeline) -> None:
    # Given
    timings = pipeline.timings
    pipeline.meta.arm("throttle", strikes=STRIKES, regain_minutes=0)
    # When
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    # Then
    pipeline.meta.wait_until_counted(order, within_s=timings.dispatch_s + 2 * STRIKES * timings.retry_s)
    tries = pipeline.meta.events_about(order)
    pauses_s = [later["call"]["at_s"] - earlier["call"]["at_s"] for earlier, later in pairwise(tries)][-LAST:]
    spread_s = max(pauses_s) - min(pauses_s)
    shown = ", ".join(f"{one:.2f}" for one in pauses_s)
    pipeline.note(f"the last pauses took {shown} s")
    assert spread_s >= LEAST_SPREAD * timings.retry_s, (
        f"pauses must be random, or all that failed together comes back together; the last took {shown} s"
    )
