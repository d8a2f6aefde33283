"""P-09  The key that seals can be replaced while something waits that the old one has sealed.

Given  an order that waits, with the buyer's address sealed
When   an operator replaces the data key, a second order is accepted, and both are let go, all without a restart
Then   Meta is given both addresses
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-09", proves=("constraint/lgpd",))
def test_data_key_is_replaced(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("rotate_keys", "set_flag")
    gateway = pipeline.gateway("kiwify")
    if gateway.dialect != "vendor":
        gateway = pipeline.gateway("perfectpay")
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.act("set_flag", **flag, flag="hold")
    before, after = gateway.order(), gateway.order()
    before.deliver()
    # When
    pipeline.target.act("rotate_keys")
    after.deliver()
    pipeline.target.act("set_flag", **flag, flag="on")
    # Then
    for order in (before, after):
        user_data = pipeline.meta.wait_until_counted(order)["user_data"]
        if order.order.buyer.ip_address in order.webhook().body.decode():
            assert user_data.get("client_ip_address") == order.order.buyer.ip_address, (
                "what was sealed under the old key and under the new one must both reach Meta"
            )
