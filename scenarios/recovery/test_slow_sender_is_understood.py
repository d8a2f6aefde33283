"""R-35  A webhook that trickles in, in small pieces over a slow line, is one sale.

Given  a line to the target that carries 5 KB a second, in pieces of some 40 bytes
When   sales are delivered over it
Then   each is accepted, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-35", proves=("gateway/persisted",), guards="a slow line")
@pytest.mark.each_gateway(rather="vendor")
@pytest.mark.exclusive
def test_slow_sender_is_understood(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    with (
        pipeline.network.arm("target", "bandwidth", stream="upstream", rate=5),
        pipeline.network.arm("target", "slicer", stream="upstream", average_size=40, size_variation=20, delay=500),
    ):
        # When
        answer = order.deliver(via=pipeline.network.url("target"))
    # Then
    must_accept(answer, "a slow but genuine webhook must be accepted")
    pipeline.meta.wait_until_counted(order)
