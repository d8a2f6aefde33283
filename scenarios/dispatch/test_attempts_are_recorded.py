"""D-09  Every try leaves a row, and only a real success is called `sent`.

Given  a Meta that fails once
When   an order is accepted and finally counted
Then   dispatch_attempts holds the failure with what Meta said, and exactly one row with status `sent`
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-09", proves=("011.3/retry",))
def test_attempts_are_recorded(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("brown_out", strikes=1)
    # When
    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(order, "delivered")
    # Then
    sent = pipeline.database.value(
        "SELECT count(*) FROM dispatch_attempts WHERE tenant_id = %(tenant)s AND status = 'sent'"
    )
    tried = pipeline.database.value("SELECT count(*) FROM dispatch_attempts WHERE tenant_id = %(tenant)s")
    told = pipeline.database.value(
        "SELECT count(*) FROM dispatch_attempts WHERE tenant_id = %(tenant)s AND duration_ms > 0 AND ("
        "status <> 'sent' AND http_status = 500 AND code = 2 OR status = 'sent' AND http_status = 200)"
    )
    assert told == tried, f"every row must tell status, code and duration of its call; {told} of {tried} do"
    assert (sent, tried) == (1, 2), f"one failure and one success; there are {sent} sent of {tried} attempts"
