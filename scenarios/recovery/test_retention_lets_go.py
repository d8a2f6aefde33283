"""R-76  What need not be kept any longer goes by itself, and not before.

Given  a visitor who clicked, bought, and whose purchase Meta has counted
When   the days pass for which the target says that it keeps a purchase's hashes, and those for which it keeps a click
Then   the buyer is recognisable in no table any more, and then the click in none; a day earlier each still was
"""

from collections.abc import Callable

import pytest

from harness.testing import TravellingPipeline, wait_until


@pytest.mark.scenario("R-76", proves=("constraint/lgpd",))
@pytest.mark.time_travel(day=230, days=200)
@pytest.mark.exclusive
def test_retention_lets_go(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = travelling_pipeline
    hashes_days, clicks_days = pipeline.kept_days("hashes_days"), pipeline.kept_days("clicks_days")
    click = pipeline.click()
    order = pipeline.gateway("hotmart").order(click=click)
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(order, "delivered")
    # When
    stages: list[tuple[float, str, Callable[[], list[str]]]] = [
        (hashes_days, "hashes", lambda: pipeline.database.shows(order.email_hash)),
        (clicks_days, "click", lambda: pipeline.database.shows(click.fbclid)),
    ]
    here = 0.0
    for days, what, places in sorted(stages, key=lambda one: one[0]):
        pipeline.travel(days=days - 1 - here)
        assert places(), f"the {what} must be kept for {days:g} days; a day earlier there is nothing of it"
        pipeline.travel(days=2)
        here = days + 1
        # Then
        goal = f"the {what} gone from every table after {days:g} days"
        wait_until(places, lambda seen: not seen, goal=goal, within_s=pipeline.timings.dispatch_s)
