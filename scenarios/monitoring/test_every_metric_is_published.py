"""W-10  Every metric that an alarm or the dashboard reads is published, under exactly its name and dimensions.

Given  a pipeline on which a little of everything happens: sales from clicks and without, one that Meta refuses, one
       webhook that cannot be understood
When   two minutes pass
Then   each metric that the template reads has a datapoint of the target's or is AWS's own; latencies have their
       percentiles, and the numbers are those of what was sent
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, must_accept

SALES = 6
LATEST_MIN = 8
"""Minutes lived, the first three before anything is sold: what is not told by then is not told."""


@pytest.mark.scenario(
    "W-10",
    proves=(
        "011.5c/metric-throughput",
        "011.5c/metric-latency",
        "011.5c/metric-success",
        "011.5c/metric-dlq",
        "011.5c/metric-breaker",
        "011.5c/metric-connections",
        "011.5c/metric-queue",
    ),
)
@pytest.mark.time_travel(day=764, days=1)
@pytest.mark.exclusive
def test_every_metric_is_published(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="stripe", can=("click",))
    alarms = Alarms(pipeline)
    orders = [gateway.order(click=pipeline.click() if number else None) for number in range(SALES)]
    poison = orders[-1]
    pipeline.meta.arm("one_event_refused", strikes=None, order_id=poison.sale_id)
    for order in orders:
        must_accept(order.deliver())
    broken = gateway.order()
    broken.deliver(webhook=broken.without_sale_id())
    for order in orders[:-1]:  # settled, not only counted: a jump while Meta's answer is under way would be a time-out
        pipeline.database.wait_for_state(order, "delivered")
    pipeline.database.wait_for_state(poison, "dead_lettered")
    # When
    alarms.minutes(2)
    # Then
    missing = alarms.unpublished()
    assert missing == [], f"the template reads what nobody publishes: {', '.join(missing)}"

    def total(name: str) -> float:
        return float(sum(one["sum"] for one in alarms.metric(name)))

    wanted = {
        "WebhookRequests": SALES + 1,
        "WebhookFailures": 1,
        "DispatchesEnded": SALES,
        "DispatchesFailed": 1,
    }

    def told() -> dict[str, float]:
        return {name: total(name) for name in wanted}

    while told() != wanted and alarms.minute < LATEST_MIN:  # who counts after it has committed may count a minute later
        alarms.minutes(1)
    assert told() == wanted, "the numbers must be those of what was sent"
    assert (total("Purchases"), total("PurchasesMatched")) == (SALES, SALES - 1), (
        "the numbers must be those of what was sent"
    )
    for name in ("WebhookLatencyMs", "DispatchLatencyMs"):
        [minute, *_] = alarms.metric(name)
        assert 0 < minute["p50"] <= minute["p95"] <= minute["p99"], f"{name} must have its percentiles; {minute}"
    pipeline.note(f"{len(alarms.reads)} metrics are read by the template, and all are published.")
    pipeline.meta.disarm()
    pipeline.target.redrive()
    pipeline.meta.wait_until_counted(poison)
