"""D-07  A payment that Meta would refuse for its age is not sent, and spoils no batch.

Given  an order that was paid eight days ago, told only now
When   it is accepted together with a fresh one
Then   it ends as expired, Meta never sees it, and the fresh one is counted
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("D-07", proves=("011.3/dlq",))
@pytest.mark.any_gateway(like=("hotmart", "perfectpay", "stripe"), dialect="vendor", can=("payment_time",))
def test_too_old_expires(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    old, fresh = gateway.order(paid_ago_s=8 * 86_400), gateway.order()
    # When
    must_accept(old.deliver())
    fresh.deliver()
    # Then
    pipeline.database.wait_for_state(old, "expired")
    pipeline.meta.wait_until_counted(fresh)
    pipeline.meta.seen_nothing_of(old)
