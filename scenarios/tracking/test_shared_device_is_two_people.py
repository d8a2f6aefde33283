"""T-19  Two people on one device are two people.

Given  a visitor who clicked and left e-mail and phone at the checkout, and somebody else on the same device, whose
       browser still carries that click
When   the other buys, and then the first
Then   the other's purchase is told to Meta without the first one's click, and the first one's with it
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-19", proves=("pipeline/matching",))
@pytest.mark.any_gateway(like=("hotmart", "kiwify", "perfectpay"), dialect="vendor", can=("click", "email", "phone"))
def test_shared_device_is_two_people(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    gateway = pipeline.gateway()
    first, other = gateway.order(), gateway.order(tracking={"click_id": click.click_id, "fbclid": click.fbclid})
    for order in (first, other):
        buyer = order.order.buyer
        left = {"click_id": click.click_id, "email": buyer.email, "phone": buyer.phone_e164}
        must_accept(pipeline.track("checkout", left), "what a page tells must be accepted")
    # When
    other.deliver()
    others = pipeline.meta.wait_until_counted(other)["user_data"]
    matched = pipeline.match_method()
    first.deliver()
    firsts = pipeline.meta.wait_until_counted(first)["user_data"]
    # Then
    assert not others.get("fbc"), "the purchase carries the click of somebody else on the device"
    assert others.get("fbp") != click.fbp, "the purchase carries the visitor id of somebody else on the device"
    assert matched is None, f"the purchase was matched, by {matched}, to the click of somebody else on the device"
    assert firsts.get("fbc", "").endswith("." + click.fbclid), "the click's own visitor must be matched to it"
