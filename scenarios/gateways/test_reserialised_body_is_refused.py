"""G-04  The signature is checked over the raw body, not over JSON that was parsed and written again.

Given  a genuine webhook whose JSON some middlebox has parsed and written anew: same meaning, other bytes
When   it is delivered with the original signature
Then   it is refused, while the original bytes are accepted
"""

import pytest

from harness.testing import Pipeline, must_accept, must_refuse


@pytest.mark.scenario("G-04", proves=("011.5a/raw-body", "011.5a/hmac-right", "gateway/hmac"))
@pytest.mark.each_gateway
def test_reserialised_body_is_refused(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    rewritten = order.tampered("reserialised")
    assert rewritten.body != order.webhook().body, "the body was not changed by being written anew, so nothing is shown"
    if gateway.authenticates_body:
        # When
        answer = order.deliver(webhook=rewritten)
        # Then
        must_refuse(answer, "bad_signature", "a re-serialised body must be refused")
        pipeline.refused_means_refused(order)
    else:
        pipeline.note(f"{gateway.name} ({gateway.dialect}): the vendor signs nothing; re-serialising cannot be noticed")
    must_accept(order.deliver(), "the very bytes that were signed must be accepted")
    pipeline.meta.wait_until_counted(order)
