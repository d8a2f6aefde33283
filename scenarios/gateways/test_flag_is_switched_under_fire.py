"""G-47  A flag that is switched while webhooks arrive loses none of them, and forgets none on hold.

Given  a gateway through which orders come in one after the other
When   an operator puts it on hold and on again, twice, meanwhile
Then   every webhook is accepted, and in the end Meta has counted every order once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-47", proves=("constraint/flags",))
def test_flag_is_switched_under_fire(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="hotmart")
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.must_be_able_to("set_flag")
    # When
    with pipeline.traffic(per_s=40, gateway=gateway) as sales:
        for state in ("hold", "on", "hold", "on"):
            pipeline.target.act("set_flag", **flag, flag=state)
            sales.wait_for_more(8)
    orders = sales.orders
    # Then
    must_accept(sales.answers(), "while a flag is switched, webhooks must be accepted")
    pipeline.note(f"{len(orders)} orders came in while the flag was switched four times")
    for order in orders:
        pipeline.meta.wait_until_counted(order)
