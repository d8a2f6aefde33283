"""DR-03  Meta is gone; on-call sees that it is Meta, loses nothing by waiting, and knows when it is over.

Given  a pipeline with a sale a minute, and a Meta that cuts every connection
When   the breaker has not been closed for three minutes
Then   on-call is paged once; the runbook shows who is ill and how much waits; when Meta is back all of it goes out,
       once, and the page resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept

LIMIT_S = 180


@pytest.mark.scenario("DR-03", proves=("011.5c/alarm-breaker", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=808, days=1)
@pytest.mark.exclusive
def test_meta_outage(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("hotmart")
    drill = Drill(pipeline, alarm="breaker-open")
    orders = []

    def sell(_: int) -> None:
        orders.append(gateway.order())
        must_accept(orders[-1].deliver(), "a sale must be accepted while Meta is away")

    pipeline.meta.arm("reset", strikes=None)
    drill.injected("Meta cuts every connection")
    opened_s = drill.breaker_opens(sell)
    # When / Then
    drill.paged(true_at_s=opened_s + LIMIT_S, each=sell)
    assert pipeline.tenant.pixel_id in drill.look(), "the runbook must show the pixel whose breaker is open"
    drill.minutes(10, each=sell)
    drill.mitigate("nothing")
    pipeline.meta.disarm()
    drill.mended("Meta is back")
    drill.recovered(within_min=6, each=sell)
    drill.minutes(6)  # what was refused meanwhile waits up to five minutes for its next try
    drill.all_counted(orders)
