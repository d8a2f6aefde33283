"""R-72  What Meta may have counted is sent again while Meta would know it again, and never after that.

Given  a Meta that does its work and loses the answer, and forgets an event id after 48 hours
When   one sale is tried again 46 hours later, and another one not before 48 hours have passed
Then   the first is told again under its own id, the second is dead-lettered and not told again; each is counted once
"""

from typing import Literal

import pytest

from harness.testing import TravellingPipeline


@pytest.mark.scenario("R-72", proves=("011.3/dlq", "011.3/retry"))
@pytest.mark.time_travel(day=160, days=10)
@pytest.mark.exclusive
def test_unknown_outcome_is_not_sent_after_two_days(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="stripe")
    fates: tuple[tuple[int, Literal["delivered", "dead_lettered"], int], ...] = (
        (46, "delivered", 2),
        (49, "dead_lettered", 1),
    )
    # When
    for hours, state, told in fates:
        pipeline.meta.arm("lose_reply", strikes=1)
        order = gateway.order()
        order.deliver()
        pipeline.database.wait_for_state(order, "held")
        pipeline.travel(hours=hours)
        pipeline.a_later_order_arrives()  # whoever works by the wall clock has looked up by then
        # Then
        pipeline.database.wait_for_state(order, state)
        events = pipeline.meta.events_about(order)
        assert len(events) == told, f"after {hours} h Meta must have been told {told} times; it was {len(events)}"
        assert len({one["event_id"] for one in events}) == 1, "a second try must carry the first one's event id"
        assert pipeline.meta.counted(order) == 1, "the sale must be counted once"
    assert pipeline.dead_letters.depth() == 1, "who looks into the dead letters must find the sale"
