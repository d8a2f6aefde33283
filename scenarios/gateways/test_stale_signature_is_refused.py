"""G-06  A webhook recorded yesterday cannot be played again today.

Given  a genuine Stripe webhook whose signature is older than the vendor's tolerance of 300 s
When   it is delivered
Then   it is refused with 401; nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-06", proves=("011.4c/hmac",))
@pytest.mark.each_gateway(only=("stripe",))
def test_stale_signature_is_refused(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    stale = order.tampered("stale_timestamp")
    # When
    answer = order.deliver(webhook=stale)
    # Then
    assert answer.status == 401, f"a stale signature must be refused with 401; it was {answer.status}"
    pipeline.refused_means_refused(order)
