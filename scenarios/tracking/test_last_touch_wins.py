"""T-06  Of several clicks the last one before the payment is credited.

Given  a visitor who came from two ads, one after the other, and left the same e-mail at both checkouts
When   they buy
Then   Meta is given the last click's fbclid
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-06", proves=("011.6/smoke-match",))
@pytest.mark.each_gateway(rather="vendor", can=("email",))
def test_last_touch_wins(pipeline: Pipeline) -> None:
    # Given
    email = pipeline.gateway().order().order.buyer.email
    clicks = [pipeline.click() for _ in range(3)]
    for click in clicks:
        must_accept(
            pipeline.track("checkout", {"click_id": click.click_id, "email": email}),
            "what a page tells must be accepted",
        )
    # When
    order = pipeline.gateway().order(buyer={"email": email})
    order.deliver()
    # Then
    fbc = pipeline.meta.wait_until_counted(order)["user_data"].get("fbc", "")
    credited = [number for number, click in enumerate(clicks, 1) if fbc.endswith("." + click.fbclid)]
    assert credited == [3], f"the last of three clicks must be credited; it was {credited or 'none'}"
