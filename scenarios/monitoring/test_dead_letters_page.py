"""W-01  More than a hundred dead letters for half an hour page on-call, once; an operator's redrive ends it.

Given  a hundred sales that Meta will not take, which are too few, for half an hour
When   one more is refused, and half an hour passes
Then   PagerDuty is told once, within five minutes; when Meta takes them and they are redriven, the incident is
       resolved by itself, and every sale is counted once
"""

import pytest

from harness.testing import Alarms, TravellingPipeline

THRESHOLD, WINDOW_MIN = 100, 30


@pytest.mark.scenario(
    "W-01",
    proves=("011.5c/alarm-dlq", "011.5c/pagerduty", "011.5c/alerted", "011.5c/metric-dlq", "011.5c/metric-queue"),
)
@pytest.mark.time_travel(day=740, days=2)
@pytest.mark.exclusive
def test_dead_letters_page(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="stripe")
    pipeline.target.must_be_able_to("redrive")
    alarms = Alarms(pipeline)
    alarms.must_exist("dlq-depth")
    pipeline.meta.arm("refusal", strikes=None, error="parameter")
    orders = [gateway.order() for _ in range(THRESHOLD + 1)]
    pipeline.deliver_until(orders[:-1], "dead_lettered")
    alarms.minutes(WINDOW_MIN + 2)
    alarms.nobody_is_paged(but=("dispatch-success", "match-rate"))  # a hundred failed, and came from no click
    depth = alarms.metric("ApproximateNumberOfMessagesVisible", QueueName=pipeline.dead_letters.name)
    assert depth[-1]["maximum"] == THRESHOLD, f"the metric must say {THRESHOLD} dead letters; it says {depth[-1]}"
    # When
    orders[-1].deliver()
    pipeline.database.wait_for_state(orders[-1], "dead_lettered")
    begins_s = alarms.now_s + 60
    # Then
    alarms.until_paged("dlq-depth", true_at_s=begins_s + 60 * (WINDOW_MIN - 1))
    pipeline.meta.disarm()
    pipeline.target.redrive()
    pipeline.database.wait_for_all(orders, "delivered")
    alarms.until_resolved("dlq-depth", within_min=2)
