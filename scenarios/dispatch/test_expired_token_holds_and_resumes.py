"""D-04  A token that dies holds the tenant's conversions, and loses none.

Given  a tenant whose Meta token has expired
When   orders are accepted, and then the token is renewed
Then   the orders are held, not dead-lettered, and after the renewal Meta counts each once, without a restart
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-04", proves=("risk/token-expires", "011.3/retry"))
def test_expired_token_holds_and_resumes(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.expire_token()
    # When
    orders = [pipeline.gateway(like="hotmart").order() for _ in range(3)]
    for order in orders:
        order.deliver()
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    pipeline.meta.renew_token()
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
