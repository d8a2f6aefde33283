"""T-05  A click at one tenant is no click of another's.

Given  a visitor who clicked at another tenant's, and left an e-mail at that tenant's checkout
When   they buy at this tenant's, once with that e-mail and once with that click id
Then   both are counted, unmatched, and neither carries anything of the other tenant's click
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-05", proves=("011.6/smoke-match", "constraint/lgpd"), tenants=2)
@pytest.mark.each_gateway(rather="vendor", can=("click", "email"))
def test_another_tenants_click_matches_nothing(pipeline: Pipeline) -> None:
    # Given
    theirs = pipeline.other_tenant
    click = pipeline.click(tenant=theirs)
    by_email = pipeline.gateway().order()
    checkout = {"click_id": click.click_id, "email": by_email.order.buyer.email}
    must_accept(pipeline.track("checkout", checkout, tenant=theirs), "what a page tells must be accepted")
    by_click = pipeline.gateway().order(tracking={"click_id": click.click_id})
    for order in (by_email, by_click):
        # When
        order.deliver()
        # Then
        user_data = pipeline.meta.wait_until_counted(order)["user_data"]
        assert not user_data.get("fbc"), "the purchase carries another tenant's click"
        assert user_data.get("fbp") != click.fbp, "the purchase carries another tenant's visitor"
        assert pipeline.match_method() is None, "a purchase must not be matched to another tenant's click"
