"""D-01  Meta goes down and comes back: nothing is lost, nothing is doubled.

Given  a Meta that answers 500 to the first two tries
When   an order is accepted
Then   it is sent again, every time under the same event id, and counted once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-01", proves=("011.3/retry",))
@pytest.mark.any_gateway(like=("stripe", "hotmart"), dialect="vendor")
def test_meta_down_then_up(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("brown_out", strikes=2)
    # When
    order = pipeline.gateway().order()
    order.deliver()
    # Then
    pipeline.meta.wait_until_counted(order)
    tries = pipeline.meta.events_about(order)
    assert len(tries) >= 3, f"two refusals and a success are three tries; there were {len(tries)}"
    assert len({one["event_id"] for one in tries}) == 1, "every try must carry the same event id"
