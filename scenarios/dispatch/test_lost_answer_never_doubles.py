"""D-02  A lost answer from Meta never counts a purchase twice.

Given  a Meta that does its work but loses the first answer
When   an order is accepted
Then   it is sent again under the same event id, and Meta counts it once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-02", proves=("011.3/retry", "gateway/event-id"))
@pytest.mark.any_gateway(like=("stripe", "kiwify"), dialect="vendor")
def test_lost_answer_never_doubles(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("lose_reply", strikes=1)
    # When
    order = pipeline.gateway().order()
    order.deliver()
    # Then
    tries = pipeline.meta.wait_for_events(order, count=2)
    assert len({one["event_id"] for one in tries}) == 1, "the second try must carry the first one's event id"
    assert pipeline.meta.counted(order) == 1, "the sale must be counted once"
