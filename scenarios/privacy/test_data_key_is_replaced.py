"""P-09  The key that seals can be replaced while something waits that the old one has sealed.

Given  a consumer that has sent an order, and another order that waits, its buyer's address sealed
When   an operator replaces the data key, the web process is restarted (as at any deployment) and takes a third order,
       and both are let go
Then   Meta is given the address of each: the consumer opens what the old key has sealed and what the new one has
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-09", proves=("constraint/lgpd",))
@pytest.mark.any_gateway(like=("perfectpay",), dialect="vendor", can=("address",))
@pytest.mark.exclusive
def test_data_key_is_replaced(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("rotate_keys", "set_flag")
    gateway = pipeline.gateway()
    sent, before, after = (gateway.order() for _ in range(3))
    sent.deliver()
    pipeline.meta.wait_until_counted(sent)
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.act("set_flag", **flag, flag="hold")
    before.deliver()
    # When
    pipeline.target.act("rotate_keys")
    pipeline.target.restart("web")
    after.deliver()
    pipeline.target.act("set_flag", **flag, flag="on")
    # Then
    for order, key in ((before, "old"), (after, "new")):
        user_data = pipeline.meta.wait_until_counted(order)["user_data"]
        assert user_data.get("client_ip_address") == order.order.buyer.ip_address, (
            f"what was sealed under the {key} key must reach Meta as it was"
        )
