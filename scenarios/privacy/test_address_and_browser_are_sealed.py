"""P-08  The buyer's address and browser are encrypted while they wait, and gone when they were sent.

Given  a Meta that is ill, and a vendor that tells the buyer's address
When   an order is accepted
Then   no table shows the address or the browser in plain text while it waits; once Meta is well it is given
       both, and afterwards nothing of them is left
"""

import pytest

from harness.testing import Pipeline

SEALED = "SELECT count(client_sealed) FROM conversions WHERE tenant_id = %(tenant)s"


@pytest.mark.scenario("P-08", proves=("constraint/lgpd",))
@pytest.mark.each_gateway(only=("perfectpay", "hotmart", "kiwify"), dialects=("vendor",))
def test_address_and_browser_are_sealed(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    buyer, told = order.order.buyer, order.webhook().body.decode()
    if buyer.ip_address not in told:
        pipeline.not_applicable("its webhook does not tell the buyer's address")
    pipeline.meta.arm("brown_out")
    # When
    order.deliver()
    pipeline.database.wait_for_state(order, "held")
    # Then
    assert pipeline.database.value(SEALED) == 1, "while it waits, the address must be kept, sealed"
    places = pipeline.database.shows(buyer.ip_address, buyer.user_agent)
    assert not places, f"the buyer's address or browser stands in plain text in {', '.join(places)}"
    pipeline.meta.disarm()
    user_data = pipeline.meta.wait_until_counted(order)["user_data"]
    assert user_data.get("client_ip_address") == buyer.ip_address, "Meta must be given the buyer's address as it is"
    if buyer.user_agent in told:
        assert user_data.get("client_user_agent") == buyer.user_agent, "and the browser"
    pipeline.database.wait_for_state(order, "delivered")
    assert pipeline.database.value(SEALED) == 0, "once it was sent, the sealed address must be gone"
