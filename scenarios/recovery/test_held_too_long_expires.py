"""R-73  What was held for longer than Meta takes an event expires, and spoils no batch.

Given  sales that are held because the token has died, and one that was held a day later
When   the token is renewed seven and a half days after the first were paid
Then   the first end as expired, and Meta counts none of them; the later one and a fresh one are counted, and Meta
       refuses nothing for its age
"""

import pytest

from harness.testing import TravellingPipeline


@pytest.mark.scenario("R-73", proves=("011.3/dlq", "risk/token-expires"))
@pytest.mark.time_travel(day=180, days=10)
@pytest.mark.exclusive
def test_held_too_long_expires(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="hotmart")
    pipeline.meta.expire_token()
    old = [gateway.order() for _ in range(3)]
    for order in old:
        order.deliver()
    for order in old:
        pipeline.database.wait_for_state(order, "held")
    pipeline.travel(days=1)
    later = gateway.order()
    later.deliver()
    pipeline.database.wait_for_state(later, "held")
    # When
    pipeline.travel(days=6.5)
    fresh = gateway.order()
    fresh.deliver()
    pipeline.meta.renew_token()
    # Then
    for order in (later, fresh):
        pipeline.meta.wait_until_counted(order)
    for order in old:
        pipeline.database.wait_for_state(order, "expired")
        assert pipeline.meta.counted(order) == 0, "an expired sale must not be counted"
    refused = [call for call in pipeline.meta.probe.calls() if call["status"] == 400 and call["code"] != 190]
    assert not refused, (
        f"Meta refused {len(refused)} batches, the first with {refused[0]['code']}/{refused[0]['subcode']}"
    )
