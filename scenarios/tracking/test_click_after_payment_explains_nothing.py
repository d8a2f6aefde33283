"""T-20  A click after the payment explains nothing.

Given  an order that was paid an hour ago, and a click that its buyer makes now
When   the gateway tells of the order with that click's id
Then   Meta counts it, without the click
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-20", proves=("pipeline/matching",))
@pytest.mark.each_gateway(rather="vendor", can=("click", "payment_time"))
def test_click_after_payment_explains_nothing(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    order = pipeline.gateway().order(tracking={"click_id": click.click_id}, paid_ago_s=3600)
    # When
    order.deliver()
    # Then
    user_data = pipeline.meta.wait_until_counted(order)["user_data"]
    assert not user_data.get("fbc"), "the purchase carries a click that came after it"
    assert pipeline.match_method() is None, "a purchase must not be matched to a click that came after it"
