"""G-06  A webhook recorded yesterday cannot be played again today.

Given  a genuine Stripe webhook whose signature is older than the vendor's tolerance of 300 s
When   it is delivered
Then   it is refused; nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-06", proves=("011.4c/hmac",))
@pytest.mark.each_gateway(only=("stripe",))
def test_stale_signature_is_refused(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    stale = order.tampered("stale_timestamp")
    # When
    answer = order.deliver(webhook=stale)
    # Then
    must_refuse(answer, "bad_signature", "a stale signature must be refused")
    pipeline.refused_means_refused(order)
