"""D-05  The circuit breaker opens while Meta is ill, probes once, and closes when it is well.

Given  a Meta that fails until further notice
When   more orders are accepted than the breaker's threshold
Then   the target stops asking; when Meta is well, one probe goes first, and every order is counted once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-05", proves=("011.3/breaker", "risk/breaker-spike"))
def test_breaker_trips_and_recovers(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("brown_out", strikes=None)
    gateway = pipeline.gateway(like="kiwify")
    threshold = pipeline.timings.breaker_threshold
    orders = []
    # When
    for _ in range(threshold + 3):
        order = gateway.order()
        order.deliver()
        orders.append(order)
    pipeline.meta.wait_for_calls(threshold, status=500)
    pipeline.wait_until_breaker("open")
    tries = len(pipeline.meta.probe.calls())
    for _ in range(5):
        order = gateway.order()
        order.deliver()
        orders.append(order)
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    probes = len(pipeline.meta.probe.calls()) - tries
    assert probes <= 3, f"an open breaker may only probe; {probes} calls were made while it was open"
    pipeline.meta.disarm()
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    pipeline.wait_until_breaker("closed")
