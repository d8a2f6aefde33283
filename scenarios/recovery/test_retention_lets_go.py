"""R-76  What need not be kept any longer goes by itself, and not before.

Given  two visitors who clicked and bought, the second two days after the first, and Meta has counted both purchases
When   the days pass for which the target says that it keeps a purchase's hashes, and those for which it keeps a click,
       so that each time the first's are a day over them, and the second's a day under
Then   the first is recognisable in no table any more, and the second still is; then the same of their clicks
"""

from functools import partial

import pytest

from harness.testing import TravellingPipeline, wait_until


@pytest.mark.scenario("R-76", proves=("constraint/lgpd",))
@pytest.mark.time_travel(day=230, days=200)
@pytest.mark.exclusive
def test_retention_lets_go(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    hashes_days, clicks_days = pipeline.kept_days("hashes_days"), pipeline.kept_days("clicks_days")
    gateway = pipeline.gateway(like="hotmart", can=("click", "email"))
    clicks, orders = [], []
    for wait_days in (0, 2):
        if wait_days:
            pipeline.travel(days=wait_days)
        clicks.append(pipeline.click())
        orders.append(gateway.order(click=clicks[-1]))
        orders[-1].deliver()
        pipeline.meta.wait_until_counted(orders[-1])
        pipeline.database.wait_for_state(orders[-1], "delivered")
    words = [
        (hashes_days, "hashes", [order.email_hash for order in orders]),
        (clicks_days, "click", [click.fbclid for click in clicks]),
    ]
    # When
    today = 2.0
    for days, what, (first, second) in sorted(words):
        pipeline.travel(days=days + 1 - today)
        today = days + 1
        # Then
        gone = f"the first one's {what} gone from every table after {days:g} days"
        look = partial(pipeline.database.shows, first)
        wait_until(look, lambda places: not places, goal=gone, within_s=pipeline.timings.dispatch_s)
        # What let go of the first has looked at the second in the same go.
        assert pipeline.database.shows(second), f"the {what} must be kept for {days:g} days; a day earlier it is gone"
