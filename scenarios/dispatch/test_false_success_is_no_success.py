"""D-03  An answer that only looks like success is none.

Given  a Meta that answers with an HTML page, with cut-off JSON, with fewer events received than were sent, or hangs up
       before or within its answer
When   an order is accepted
Then   the target tries again until Meta really says yes, under the same event id
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-03", proves=("011.3/retry",))
@pytest.mark.parametrize("fault", ["html_502", "truncated_json", "fewer_received", "reset", "cut_body"])
def test_false_success_is_no_success(pipeline: Pipeline, fault: str) -> None:
    # Given
    pipeline.meta.arm(fault, strikes=1)
    # When
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    # Then
    tries = pipeline.meta.wait_for_events(order, count=2)
    assert len({one["event_id"] for one in tries}) == 1, "every try must carry the same event id"
    pipeline.meta.wait_until_counted(order)
