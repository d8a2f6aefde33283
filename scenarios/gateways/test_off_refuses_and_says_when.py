"""G-41  A gateway that is `off` refuses with 503 and a time, keeps nothing, and disturbs nobody else.

Given  a tenant whose gateway an operator has switched off, without a restart
When   an order is told of through it, and others through another gateway and at another tenant
Then   the first is refused with 503 and Retry-After and nothing is stored; the others are counted; and once it is on
       again, the vendor's next try is accepted and counted
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-41", proves=("constraint/flags", "risk/gateway-breaks"), tenants=2)
def test_off_refuses_and_says_when(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe")
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.act("set_flag", **flag, flag="off")
    refused, other = gateway.order(), pipeline.gateway(like="perfectpay", besides=gateway).order()
    theirs = pipeline.gateway(gateway.name, tenant=pipeline.other_tenant).order()
    # When
    answer = refused.deliver()
    others = [other.deliver(), theirs.deliver()]
    # Then
    assert answer.status == 503, f"a gateway that is off must answer 503, so that vendors retry; it was {answer.status}"
    assert int(answer.headers.get("Retry-After", "0")) > 0, "503 must say when to come again, in Retry-After"
    pipeline.database.stored_nothing_of(refused)
    must_accept(others, "what is not off must go on")
    pipeline.meta.wait_until_counted(other)
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(theirs)
    pipeline.meta.seen_nothing_of(refused)
    pipeline.target.act("set_flag", **flag, flag="on")
    must_accept(refused.deliver(), "switched on again, the vendor's next try must be accepted")
    pipeline.meta.wait_until_counted(refused)
