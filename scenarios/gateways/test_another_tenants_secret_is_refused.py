"""G-02  One tenant's secret opens no other tenant's door.

Given  two tenants of the same gateway
When   a webhook signed for the first is sent to the second
Then   it is refused, and neither tenant has a sale
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-02", proves=("gateway/hmac",), tenants=2)
@pytest.mark.each_gateway
def test_another_tenants_secret_is_refused(pipeline: Pipeline) -> None:
    # Given
    mine = pipeline.gateway()
    theirs = pipeline.gateway(mine.name, tenant=pipeline.other_tenant)
    order = theirs.order()
    signed_for_me = order.webhook(secret=mine.account.secret)
    # When
    answer = order.deliver(webhook=signed_for_me)
    # Then
    must_refuse(answer, "bad_signature", "another tenant's secret must be refused")
    pipeline.refused_means_refused(order)
