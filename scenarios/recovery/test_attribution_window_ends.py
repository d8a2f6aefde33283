"""R-74  A purchase is credited to a click inside the attribution window, and to none outside it.

Given  visitors who clicked an ad at two customers' pages, with a window of seven days
When   one buys an hour before it closes, the other an hour after
Then   the first purchase is matched to its click; the second to none, and Meta is told of it all the same
"""

import pytest

from harness.testing import TravellingPipeline


@pytest.mark.scenario("R-74", proves=("pipeline/matching", "011.6/smoke-match"), tenants=2)
@pytest.mark.time_travel(day=200, days=10)
@pytest.mark.exclusive
def test_attribution_window_ends(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    mine = pipeline.gateway(like="kiwify", can=("click",))
    other = pipeline.gateway(mine.name, tenant=pipeline.other_tenant)
    in_time, late = pipeline.click(), pipeline.click(tenant=pipeline.other_tenant)
    # When
    pipeline.travel(days=6, hours=23)
    order = mine.order(click=in_time)
    order.deliver()
    told = pipeline.meta.wait_until_counted(order)["user_data"]
    # Then
    assert pipeline.match_method() == "click_id", "a click of an hour inside the window must be found"
    assert told.get("fbc", "").endswith("." + in_time.fbclid), "and Meta must be given its fbclid"
    pipeline.travel(hours=2)
    order = other.order(click=late)
    order.deliver()
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(order)
    method = pipeline.match_method(tenant=pipeline.other_tenant)
    assert method is None, f"a click older than the window explains nothing; it was matched by {method}"
