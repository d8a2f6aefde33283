"""G-01  Who does not know the secret is refused.

Given  a well-formed webhook signed with another secret
When   it is delivered
Then   it is refused; nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-01", proves=("gateway/hmac",))
@pytest.mark.each_gateway
def test_wrong_secret_is_refused(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    forged = order.webhook(secret=gateway.fake.new_secret("somebody else"))
    # When
    answer = order.deliver(webhook=forged)
    # Then
    must_refuse(answer, "bad_signature", "a wrong secret must be refused")
    pipeline.refused_means_refused(order)
