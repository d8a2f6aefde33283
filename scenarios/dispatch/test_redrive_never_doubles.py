"""D-33  What an operator brings back out of the dead letters is the event that it was.

Given  an order that Meta has counted, although its answer was lost, and that it refused at the second try
When   it has ended in the dead letters, and an operator redrives it
Then   it is sent again under the event id that it had, and Meta has counted it once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-33", proves=("011.3/dlq", "gateway/event-id"))
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive  # a redrive takes everybody's dead letters
def test_redrive_never_doubles(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("redrive")
    order = pipeline.gateway().order()
    pipeline.meta.arm("lose_reply", strikes=1)
    pipeline.meta.arm("one_event_refused", strikes=None, order_id=order.sale_id)
    order.deliver()
    pipeline.database.wait_for_state(order, "dead_lettered")
    assert pipeline.meta.counted(order) == 1, "Meta must have counted the first try, whose answer was lost"
    # When
    pipeline.meta.disarm()
    pipeline.target.redrive()
    # Then
    tries = pipeline.meta.wait_for_events(order, count=3)
    names = {one["event_id"] for one in tries}
    assert len(names) == 1, f"every try must carry the first one's event id; there were {len(names)}"
    assert pipeline.meta.counted(order) == 1, "a redrive must not make Meta count a sale again"
    pipeline.database.wait_for_state(order, "delivered")
