"""T-07  A buyer whose click id was lost is matched by the fbclid, or by the phone they left at the checkout.

Given  a click, and where the vendor carries no fbclid, a checkout at which the visitor left a phone
When   the gateway's webhook carries the fbclid, or only that phone
Then   the purchase is matched to the click by it, and Meta is given the click's fbclid
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-07", proves=("011.6/smoke-match",))
@pytest.mark.any_gateway(like=("hotmart",), dialect="vendor", can=("fbclid", "phone"))
@pytest.mark.parametrize("method", ["fbclid", "phone"])
def test_match_without_click_id(pipeline: Pipeline, method: str) -> None:
    # Given
    click = pipeline.click()
    tracking = {"fbclid": click.fbclid} if method == "fbclid" else {}
    order = pipeline.gateway().order(tracking=tracking)
    if method == "phone":
        checkout = {"click_id": click.click_id, "phone": order.order.buyer.phone_e164}
        must_accept(pipeline.track("checkout", checkout), "what a page tells must be accepted")
    # When
    order.deliver()
    # Then
    fbc = pipeline.meta.wait_until_counted(order)["user_data"].get("fbc", "")
    assert fbc.endswith("." + click.fbclid), "the purchase must carry the click's fbclid in fbc, letter for letter"
    stored = pipeline.match_method()
    assert stored == method, f"the purchase must be matched by its {method}; the stored method is {stored!r}"
