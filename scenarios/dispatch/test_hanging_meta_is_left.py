"""D-14  A Meta that does not answer is not waited for.

Given  a Meta that takes a call and says nothing for a minute, or lets its answer drip for a third of one
When   an order is accepted
Then   the target gives the call up and sends the order again under the same event id, long before, and it counts once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-14", proves=("011.3/retry",))
@pytest.mark.parametrize(("fault", "lasts"), [("hang", {"hang_s": 60.0}), ("slow_body", {"over_s": 22.0})])
def test_hanging_meta_is_left(pipeline: Pipeline, fault: str, lasts: dict[str, float]) -> None:
    # Given
    pipeline.meta.arm(fault, strikes=1, **lasts)
    # When
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    # Then
    tries = pipeline.meta.wait_for_events(order, count=2)
    assert len({one["event_id"] for one in tries}) == 1, "the second try must carry the first one's event id"
    given_up = pipeline.database.value(
        "SELECT count(*) FROM dispatch_attempts WHERE tenant_id = %(tenant)s AND status <> 'sent'"
    )
    assert given_up == 1, "the silent call must be given up, and be on record, before the next is made; it still waits"
    pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(order, "delivered")
