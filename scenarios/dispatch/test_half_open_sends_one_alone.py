"""R-56  A half-open breaker sends one event alone, and no second one before its answer.

Given  a Meta in trouble, a breaker that has opened, and sales that are held for it
When   sales keep coming while the breaker tries again and again, and Meta is well at last
Then   each try was one call with one event, a breaker's wait after the last; then all are counted once
"""

from itertools import pairwise

import pytest

from harness.testing import Pipeline, must_accept

TRIES = 6


@pytest.mark.scenario("R-56", proves=("011.3/breaker",), guards="a sick Meta that is stormed at every try")
def test_half_open_sends_one_alone(pipeline: Pipeline) -> None:
    # Given
    pipeline.meta.arm("brown_out")
    gateway = pipeline.gateway(like="hotmart")
    orders = [gateway.order() for _ in range(12)]
    answers = [order.deliver() for order in orders]
    must_accept(answers, "while the breaker is open, webhooks must be accepted")
    pipeline.wait_until_breaker("open")
    for order in orders:
        pipeline.database.wait_for_state(order, "held")
    before = pipeline.meta.probe.calls()[-1]["seq"]
    # When
    limit_s = pipeline.timings.dispatch_s + TRIES * pipeline.timings.breaker_reset_s
    with pipeline.traffic(per_s=30, gateway=gateway):  # what is new is not held yet, and comes in batches
        tries = pipeline.meta.probe.wait_for(
            lambda calls: sum(one["seq"] > before for one in calls) >= TRIES, goal=f"{TRIES} tries", within_s=limit_s
        )
    tries = [one for one in tries if one["seq"] > before][:TRIES]
    pipeline.meta.disarm()
    # Then
    sizes = [len(one["events"]) for one in tries]
    assert sizes == [1] * TRIES, f"a half-open breaker sends one event alone; it sent {sizes}"
    pauses_s = [late["at_s"] - early["at_s"] for early, late in pairwise(tries)]
    shortest_s = pipeline.timings.breaker_reset_s * 0.9
    assert min(pauses_s) >= shortest_s, f"between tries it waited {min(pauses_s):.2f} s of {shortest_s:g}"
    for order in pipeline.orders:
        pipeline.meta.wait_until_counted(order)
