"""P-06  What is erased before it was sent is not sent.

Given  an order that waits for its gateway's flag
When   its buyer is erased, and then the flag is `on`
Then   the order ends as suppressed, Meta never hears of it, and a later order of somebody else's is counted
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-06", proves=("constraint/lgpd",))
def test_erased_before_it_was_sent(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("erase_person", "set_flag")
    gateway = pipeline.gateway(like="kiwify", can=("email",))
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.act("set_flag", **flag, flag="hold")
    order = gateway.order()
    order.deliver()
    pipeline.database.wait_for_state(order, "held")
    # When
    buyer = order.order.buyer
    done = pipeline.target.act("erase_person", tenant=pipeline.tenant.tenant, email=buyer.email)["erased"]
    pipeline.target.act("set_flag", **flag, flag="on")
    # Then
    assert done["suppressed"] == 1, f"one order waited; stopped were {done}"
    pipeline.database.wait_for_state(order, "suppressed")
    assert not pipeline.database.knows(order), "nothing of an erased person may be left"
    pipeline.nothing_is_sent_about(order)
