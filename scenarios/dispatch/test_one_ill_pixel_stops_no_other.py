"""D-10  What is wrong with one tenant's Meta stops no other tenant's.

Given  two tenants, and a Meta that fails for the first until its breaker is open
When   both go on selling
Then   the second's orders are counted at their first try while the first still waits; then nothing is lost there
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-10", proves=("011.3/breaker", "risk/breaker-spike"), tenants=2)
def test_one_ill_pixel_stops_no_other(pipeline: Pipeline) -> None:
    # Given
    well = pipeline.other_tenant
    meta_there = pipeline.meta_of(well)
    pipeline.meta.arm("brown_out", strikes=None)
    waiting = [pipeline.gateway(like="stripe").order() for _ in range(pipeline.timings.breaker_threshold)]
    for order in waiting:
        order.deliver()
    pipeline.wait_until_breaker("open")
    # When
    orders = [pipeline.gateway(like="stripe", tenant=well).order() for _ in range(4)]
    for order in orders:
        order.deliver()
        # Then
        meta_there.wait_until_counted(order)
    tries = [len(meta_there.events_about(order)) for order in orders]
    assert tries == [1] * len(orders), f"the other tenant's orders need one try each; they took {tries}"
    assert pipeline.breaker(tenant=well) in (None, "closed"), "the other tenant's breaker has no reason to open"
    pipeline.meta.disarm()
    for order in waiting:
        pipeline.meta.wait_until_counted(order)
