"""G-05  No proof, half a proof and a proof in the wrong case are no proof.

Given  webhooks without a signature, with a truncated one, and with one in upper case
When   each is delivered
Then   each is refused with a 4xx, as the vendor's own check would; nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-05", proves=("gateway/hmac",))
@pytest.mark.each_gateway
@pytest.mark.parametrize("tampering", ["missing_signature", "truncated_signature", "uppercase_signature"])
def test_unsigned_is_refused(pipeline: Pipeline, tampering: str) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    if not order.must_be_refused(tampering):
        pipeline.not_applicable(f"{tampering} means nothing")
    # When
    answer = order.deliver(webhook=order.tampered(tampering))
    # Then
    must_refuse(answer, "bad_signature", f"{tampering} must be refused")
    pipeline.refused_means_refused(order)
