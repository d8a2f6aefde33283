"""T-11  What the answer to a click says of a gateway's checkout brings the click back.

Given  a click, and the parameters for this gateway's checkout with which it was answered
When   the visitor buys through that checkout, which carries what this vendor carries
Then   the purchase is matched to the click by its id, and Meta is given the click's fbclid
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-11", proves=("pipeline/tracking", "pipeline/matching"))
@pytest.mark.each_gateway
def test_checkout_params_bring_the_click_back(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    gateway = pipeline.gateway()
    assert set(click.checkout_params) == set(pipeline.tenant.gateways), (
        f"a page must be told the parameters of each gateway that its tenant uses; it was told of those of "
        f"{', '.join(sorted(click.checkout_params)) or 'none'}"
    )
    # When
    carried = gateway.through_checkout(click.checkout_params[gateway.name])
    order = gateway.order(tracking=carried)
    order.deliver()
    # Then
    fbc = pipeline.meta.wait_until_counted(order)["user_data"].get("fbc", "")
    assert fbc.endswith("." + click.fbclid), f"the checkout's parameters {sorted(carried)} did not bring the click back"
    method = pipeline.match_method()
    assert method == "click_id", f"the purchase must be matched by its click id; the stored method is {method!r}"
