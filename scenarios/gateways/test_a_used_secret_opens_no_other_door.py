"""G-61  A secret that has just been used opens no other tenant's door: what is remembered of it is the tenant's.

Given  two tenants of the same gateway, each of whom has just sold something, so that both secrets are at hand
When   a webhook for either is signed with the other's secret
Then   both are refused, nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline, must_accept, must_refuse


@pytest.mark.scenario("G-61", proves=("gateway/hmac",), tenants=2)
@pytest.mark.each_gateway
def test_a_used_secret_opens_no_other_door(pipeline: Pipeline) -> None:
    # Given
    mine = pipeline.gateway()
    theirs = pipeline.gateway(mine.name, tenant=pipeline.other_tenant)
    for gateway in (mine, theirs):
        order = gateway.order()
        answer = order.deliver()
        must_accept(answer)
        pipeline.meta_of(gateway.tenant).wait_until_counted(order)
    # When
    crossed = ((theirs.order(), mine), (mine.order(), theirs))
    for order, signer in crossed:
        answer = order.deliver(webhook=order.webhook(secret=signer.account.secret))
        # Then
        must_refuse(answer, "bad_signature", "the other tenant's secret must be refused")
    for order, _ in crossed:
        pipeline.refused_means_refused(order)
