"""W-06  When the metrics cannot be told, that itself pages; no sale is lost or refused for it.

Given  a pipeline whose CloudWatch cannot be reached any more
When   sales go on for as long as it takes
Then   every webhook is accepted and every sale counted; PagerDuty is told of the silence within five minutes; when
       CloudWatch is back the incidents resolve, and what could not be told in between has not been forgotten
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, must_accept

SILENT_MIN = 3
HEARTS = ("heartbeat-web", "heartbeat-relay", "heartbeat-consumer", "heartbeat-scheduler")


@pytest.mark.scenario("W-06", proves=("011.5c/alerted", "011.5c/pagerduty"))
@pytest.mark.time_travel(day=758, days=1)
@pytest.mark.exclusive
def test_cloudwatch_away_pages_and_loses_nothing(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="hotmart")
    alarms = Alarms(pipeline)
    alarms.must_exist(*HEARTS)
    orders = []

    def sell(_: int) -> None:
        orders.append(gateway.order())
        answer = orders[-1].deliver()
        must_accept(answer, "a sale must be accepted while CloudWatch is away")

    # When
    with alarms.cloudwatch_away():
        silent_s = alarms.now_s
        for heart in HEARTS:
            alarms.until_paged(heart, true_at_s=silent_s + 60 * (SILENT_MIN - 1), each=sell)
    # Then
    alarms.nobody_is_paged(but=(*HEARTS, "data-freshness"))
    for heart in HEARTS:
        alarms.until_resolved(heart, within_min=3)
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    told = sum(one["sum"] for one in alarms.metric("WebhookRequests"))
    assert told == len(orders), f"{len(orders)} webhooks were accepted, and the metrics tell of {told:g}"
