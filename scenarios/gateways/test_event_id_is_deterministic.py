"""G-09  The event id is a function of the sale, not of the process that computes it.

Given  a purchase that Meta has counted under some event id
When   another process of the target is asked for that sale's event id
Then   it says the same, and the id holds nothing personal
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-09", proves=("gateway/event-id",))
@pytest.mark.each_gateway
def test_event_id_is_deterministic(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    order.deliver()
    event = pipeline.meta.wait_until_counted(order)
    # When
    said = pipeline.target.event_id_of(order)
    # Then
    assert said == event["event_id"], (
        f"another process computes another event id: {said} instead of {event['event_id']}"
    )
    assert order.email_hash not in event["event_id"], "nothing of the buyer may stand in the event id"
    assert order.email_hash[:16] not in event["event_id"], "nothing of the buyer may stand in the event id"
