"""G-20  A buyer without a phone is still a buyer.

Given  a checkout that asked for no phone
When   the order is delivered
Then   Meta counts it, matched by the e-mail alone
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-20", proves=("gateway/hash",))
@pytest.mark.each_gateway
def test_missing_phone_is_no_error(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order(buyer={"phone_e164": None})
    # When
    order.deliver()
    # Then
    event = pipeline.meta.wait_until_counted(order)
    assert "ph" not in event["user_data"], "a phone that was never given must not be sent"
