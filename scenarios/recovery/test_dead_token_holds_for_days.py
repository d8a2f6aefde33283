"""R-71  A token that ended because nobody renewed it holds the sales, and loses none.

Given  a tenant whose token ends in sixty days, and is renewed by nobody: sixty-one days pass in one go
When   sales are accepted, and days later somebody renews the token by hand
Then   they are held and not dead-lettered, and Meta counts each once
"""

import pytest

from harness.testing import TravellingPipeline, must_accept

DAY_S = 86_400


@pytest.mark.scenario("R-71", proves=("risk/token-expires", "011.3/retry"))
@pytest.mark.time_travel(day=80, days=70)
@pytest.mark.exclusive
def test_dead_token_holds_for_days(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="hotmart")
    pipeline.meta.limit_token(lives_s=60 * DAY_S)
    pipeline.travel(days=61)
    # When
    orders = [gateway.order() for _ in range(3)]
    for order in orders:
        must_accept(order.deliver())
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    pipeline.travel(days=3)
    assert [one["state"] for one in pipeline.meta.probe.tokens()] == ["expired"], "a dead token cannot be exchanged"
    pipeline.meta.renew_token()
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
