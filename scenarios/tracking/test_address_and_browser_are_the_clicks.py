"""T-13  The buyer's address and browser come from the click or the payload, never from the vendor's connection.

Given  a visitor who clicked with a browser and from an address of their own
When   they buy, and the gateway's server, which has another address, tells of it
Then   Meta is given the payload's address and browser where the vendor tells them, else the click's, and never the
       gateway's
"""

import pytest

from harness.testing import Pipeline, Visitor


@pytest.mark.scenario("T-13", proves=("pipeline/matching", "constraint/lgpd"))
@pytest.mark.each_gateway
def test_address_and_browser_are_the_clicks(pipeline: Pipeline) -> None:
    # Given
    visitor = Visitor(
        address="127.0.0.13", browser="Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Version/18.1 Safari/604.1"
    )
    click = pipeline.click(visitor=visitor)
    # When
    order = pipeline.gateway().order(click=click)
    order.deliver()
    # Then
    user_data = pipeline.meta.wait_until_counted(order)["user_data"]
    buyer, told = order.order.buyer, order.webhook().body
    address = buyer.ip_address if buyer.ip_address.encode() in told else visitor.address
    browser = buyer.user_agent if buyer.user_agent.encode() in told else visitor.browser
    given = user_data.get("client_ip_address")
    assert given == address, f"the address must be the {'payload' if address != visitor.address else 'click'}'s"
    assert user_data.get("client_user_agent") == browser, "the browser must be the payload's or else the click's"
