"""G-03  A body that was changed after signing is refused.

Given  a genuine webhook in which one digit of the amount was changed on the way
When   it is delivered
Then   it is refused; where the vendor's own scheme is a static token, no receiver could notice, and the row
       says so
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-03", proves=("gateway/hmac", "011.5a/hmac-right"))
@pytest.mark.each_gateway
def test_one_byte_changed_is_refused(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    changed = order.tampered("one_byte")
    if not gateway.authenticates_body:
        pipeline.not_applicable("the vendor gives no integrity; nobody could notice a changed byte")
    # When
    answer = order.deliver(webhook=changed)
    # Then
    must_refuse(answer, "bad_signature", "a changed body must be refused")
    pipeline.refused_means_refused(order)
