"""G-42  A new gateway can be held back for everybody at once, whatever each tenant's own flag says.

Given  two tenants, the flag of one gateway as a whole on `hold`, and each tenant's own on `on`
When   orders come to both through that gateway, and one through another
Then   the other gateway's is counted and those are held; a tenant's own `off` is still stricter; and once the gateway
       is `on`, only the tenant's that is not off is let through
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-42", proves=("constraint/flags", "risk/gateway-breaks"), tenants=2)
@pytest.mark.exclusive
def test_whole_gateway_is_switched(pipeline: Pipeline) -> None:
    # Given
    first, second = pipeline.gateway(like="kiwify"), pipeline.gateway(like="kiwify", tenant=pipeline.other_tenant)
    mine, theirs, other = first.order(), second.order(), pipeline.gateway(like="stripe", besides=first).order()
    for tenant in pipeline.tenants:
        pipeline.target.act("set_flag", tenant=tenant.tenant, gateway=first.name, flag="on")
    try:
        pipeline.target.act("set_flag", gateway=first.name, flag="hold")
        # When
        answers = [mine.deliver(), theirs.deliver(), other.deliver()]
        # Then
        must_accept(answers, "on hold, webhooks must be accepted")
        pipeline.meta.wait_until_counted(other)
        pipeline.database.wait_for_state(mine, "held")
        pipeline.database.wait_for_state(theirs, "held")
        pipeline.target.act("set_flag", tenant=pipeline.other_tenant.tenant, gateway=first.name, flag="off")
        late = second.order()
        assert late.deliver().status == 503, "a tenant's own `off` must be stricter than the gateway's `hold`"
    finally:
        pipeline.target.act("set_flag", gateway=first.name, flag="on")
    pipeline.meta.wait_until_counted(mine)
    assert second.order().deliver().status == 503, "the gateway's `on` must not undo a tenant's own `off`"
    pipeline.database.wait_for_state(theirs, "held")
    pipeline.target.act("set_flag", tenant=pipeline.other_tenant.tenant, gateway=first.name, flag="on")
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(theirs)
