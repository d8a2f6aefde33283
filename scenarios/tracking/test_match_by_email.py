"""T-02  A buyer whose click id was lost is matched by the e-mail they left at the checkout.

Given  a click, and a checkout at which the same visitor left an e-mail
When   the gateway's webhook carries no click id, but that e-mail
Then   the purchase is matched to the click, and Meta is given its fbclid
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-02", proves=("011.6/smoke-match",))
@pytest.mark.any_gateway(like=("hotmart",), dialect="vendor", can=("email",))
def test_match_by_email(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    order = pipeline.gateway().order()
    checkout = pipeline.track("checkout", {"click_id": click.click_id, "email": order.order.buyer.email})
    must_accept(checkout, "a checkout must be accepted")
    # When
    order.deliver()
    # Then
    event = pipeline.meta.wait_until_counted(order)
    assert event["user_data"].get("fbc", "").endswith("." + click.fbclid), "the event must carry the click's fbc"
    method = pipeline.match_method()
    assert method == "email", f"the purchase must be matched by the hashed e-mail; the stored method is {method!r}"
