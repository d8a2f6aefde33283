"""D-31  While Meta stays ill, an open breaker lets one event through now and then, alone, whatever else comes in.

Given  a Meta that fails until further notice, and a breaker that has opened
When   the first probe has failed as well, and more orders are accepted
Then   what still reaches Meta is one event at a time, with the breaker's wait between; when Meta is well, each order is
       counted once
"""

from itertools import pairwise

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-31", proves=("011.3/breaker", "risk/breaker-spike"))
def test_one_probe_at_a_time(pipeline: Pipeline) -> None:
    # Given
    timings, gateway = pipeline.timings, pipeline.gateway(like="hotmart")
    pipeline.meta.arm("brown_out", strikes=None)
    orders = [gateway.order() for _ in range(timings.breaker_threshold + 1)]
    for order in orders:
        order.deliver()
    pipeline.wait_until_breaker("open")
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    opened = len(pipeline.meta.probe.calls())
    # When
    pipeline.meta.wait_for_calls(opened + 1, within_s=timings.dispatch_s + timings.breaker_reset_s)
    more = [gateway.order() for _ in range(6)]
    for order in more:
        order.deliver()
    # Then
    calls = pipeline.meta.wait_for_calls(opened + 4, within_s=timings.dispatch_s + 4 * timings.breaker_reset_s)
    probes = calls[opened:]
    crowd = max(len(one["events"]) for one in probes)
    assert crowd == 1, f"a probe is one event; one of them carried {crowd}"
    gaps_s = [later["at_s"] - earlier["at_s"] for earlier, later in pairwise(probes)]
    shown = ", ".join(f"{one:.2f}" for one in gaps_s)
    assert min(gaps_s) >= 0.5 * timings.breaker_reset_s, (
        f"an ill Meta may be asked once in {timings.breaker_reset_s:g} s; it was asked again after {shown} s"
    )
    pipeline.meta.disarm()
    for order in (*orders, *more):
        pipeline.meta.wait_until_counted(order)
