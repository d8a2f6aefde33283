"""S-01  One paid order reaches Meta, once.

Given  a tenant whose gateway is configured
When   the gateway tells of one paid order
Then   the answer is 202, and Meta counts exactly one Purchase with the right value, currency and hashed e-mail
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("S-01", proves=("gateway/202", "gateway/persisted", "011.6/smoke-dispatch"))
@pytest.mark.each_gateway
def test_one_purchase_reaches_meta(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answer = order.deliver()
    # Then
    assert answer.status == 202, (
        f"a genuine webhook must be answered with 202; it was {answer.status} {answer.text[:200]}"
    )
    event = pipeline.meta.wait_until_counted(order)
    assert float(event["custom_data"]["value"]) == pytest.approx(float(order.amount))
    assert event["custom_data"]["currency"].upper() == order.order.currency
    if order.carries_email:
        assert order.email_hash in event["user_data"]["em"]
