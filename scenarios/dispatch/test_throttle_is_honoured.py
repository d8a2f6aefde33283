"""D-11  Asked by Meta to stay away for a minute, the target does, for this pixel and for no other.

Given  two tenants, and a Meta that throttles the first once and says in its headers that it takes a minute
When   both go on selling
Then   the second's orders are counted; the first's wait, without one more call; paid back, they are not sent at all
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-11", proves=("011.3/retry",), tenants=2)
@pytest.mark.parametrize("code", [4, 80004])
def test_throttle_is_honoured(pipeline: Pipeline, code: int) -> None:
    # Given
    free = pipeline.other_tenant
    meta_there = pipeline.meta_of(free)
    pipeline.meta.arm("throttle", strikes=1, regain_minutes=1, code=code)
    first, second = pipeline.gateway(like="stripe").order(), pipeline.gateway(like="stripe").order()
    first.deliver()
    pipeline.meta.wait_for_calls(1)
    pipeline.database.wait_for_state(first, "held")
    # When
    second.deliver()
    orders = [pipeline.gateway(like="stripe", tenant=free).order() for _ in range(6)]
    for order in orders:
        order.deliver()
        # Then
        meta_there.wait_until_counted(order)
    pipeline.database.wait_for_state(second, "held")
    calls = len(pipeline.meta.probe.calls())
    assert calls == 1, f"Meta asked for a minute without calls, and got {calls - 1} more"
    for order in (first, second):
        order.deliver("refunded")
        pipeline.database.wait_for_state(order, "suppressed")
