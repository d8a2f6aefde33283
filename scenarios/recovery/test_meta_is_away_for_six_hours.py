"""R-79  Meta away for six hours: every sale of them is counted once, in the same way each time.

Given  a Meta that fails from now on, and a sale every hour
When   six hours pass, and Meta is well again
Then   Meta was asked no more often than the breaker's probes ask, nothing was dead-lettered, and every sale is counted
       once
"""

import pytest

from harness.testing import TravellingPipeline

STEPS = 6


@pytest.mark.scenario("R-79", proves=("risk/breaker-spike", "011.3/breaker", "011.3/retry"))
@pytest.mark.time_travel(day=670, days=2)
@pytest.mark.exclusive
def test_meta_is_away_for_six_hours(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="stripe")
    threshold = pipeline.timings.breaker_threshold
    pipeline.meta.arm("brown_out", strikes=None)
    orders = [gateway.order() for _ in range(threshold)]
    for number, order in enumerate(orders, 1):
        order.deliver()
        pipeline.meta.wait_for_calls(number)  # one failure each: together they might share a call
    pipeline.wait_until_breaker("open")
    # When
    asked = [len(pipeline.meta.wait_for_calls(threshold))]
    for _ in range(STEPS):
        pipeline.travel(hours=1)
        orders.append(gateway.order())
        orders[-1].deliver()
        asked.append(len(pipeline.meta.wait_for_calls(asked[-1] + 1)))
        pipeline.wait_until_breaker("open")
        for order in orders:
            pipeline.database.wait_for_state(order, "held")
    tries = [len(one["events"]) for one in pipeline.meta.probe.calls()]
    pipeline.meta.disarm()
    pipeline.travel(hours=1)
    # Then
    pipeline.wait_until_breaker("closed")
    pipeline.travel(hours=1)  # what was refused while the probe was under way waits for its end
    pipeline.a_later_order_arrives()
    for order in orders:
        pipeline.meta.wait_until_counted(order)
        pipeline.database.wait_for_state(order, "delivered")
    assert tries[threshold:] == [1] * STEPS, (
        f"in six hours, looked at each hour, an open breaker lets {STEPS} probes of one event through; "
        f"Meta was sent {tries[threshold:]}"
    )
    pipeline.note(f"{len(orders)} sales; Meta was asked {len(tries)} times while it was away")
