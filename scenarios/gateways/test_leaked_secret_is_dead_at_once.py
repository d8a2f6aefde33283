"""G-44  A leaked secret can be replaced without an overlap, and no other account notices.

Given  a secret that is in use at two gateways of a tenant and at another tenant
When   one of them is replaced with an overlap of nothing
Then   the old value is refused there from the next webhook on, and everywhere else nothing has changed
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-44", proves=("gateway/hmac",), tenants=2)
@pytest.mark.any_gateway(like=("stripe",))
def test_leaked_secret_is_dead_at_once(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    other = pipeline.gateway(like="hotmart", besides=gateway)
    theirs = pipeline.gateway(gateway.name, tenant=pipeline.other_tenant)
    pipeline.target.must_be_able_to("rotate_secret")
    used = [one.order() for one in (gateway, other, theirs)]
    must_accept([order.deliver() for order in used])
    new = gateway.fake.new_secret(f"{pipeline.tenant.tenant}/leaked")
    # When
    pipeline.target.act("rotate_secret", tenant=pipeline.tenant.tenant, gateway=gateway.name, secret=new, overlap_s=0)
    # Then
    leaked = gateway.order()
    assert leaked.deliver().refused, "without an overlap the old secret must be refused at once"
    good, same, elsewhere = gateway.order(), other.order(), theirs.order()
    answers = [good.deliver(webhook=good.webhook(secret=new)), same.deliver(), elsewhere.deliver()]
    must_accept(answers, "every other secret must go on")
    for order in (used[0], good, same):
        pipeline.meta.wait_until_counted(order)
    pipeline.meta.seen_nothing_of(leaked)
    pipeline.database.stored_nothing_of(leaked)
