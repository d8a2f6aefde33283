"""T-12  A click told twice is the click that it was.

Given  a click under an id of the page's own
When   the same id is told again with another fbclid, and the visitor buys
Then   Meta is given the first one's fbclid
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-12", proves=("011.6/smoke-click", "pipeline/tracking"))
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor", can=("click",))
def test_click_told_twice_is_one(pipeline: Pipeline) -> None:
    # Given
    first = pipeline.click(click_id="c-7Qw_9x")
    # When
    second = pipeline.click(click_id="c-7Qw_9x")
    assert (first.click_id, second.click_id) == ("c-7Qw_9x", "c-7Qw_9x"), "the page's own click id must be kept"
    order = pipeline.gateway().order(tracking={"click_id": "c-7Qw_9x"})
    order.deliver()
    # Then
    fbc = pipeline.meta.wait_until_counted(order)["user_data"].get("fbc", "")
    assert fbc.endswith("." + first.fbclid), "a click told again under the same id must stay as it was"
