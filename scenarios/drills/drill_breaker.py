"""DR-04  One pixel's breaker does not close; on-call holds that tenant until Meta takes it again.

Given  a tenant whose pixel Meta answers with errors, and a breaker that goes from open to half-open and back
When   it has not been closed for three minutes
Then   on-call is paged once; the runbook holds the tenant, so that Meta is left alone and sales are kept; switched on
       again, all are counted, once, and the page resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept

LIMIT_S = 180


@pytest.mark.scenario("DR-04", proves=("011.5c/alarm-breaker", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=812, days=1)
@pytest.mark.exclusive
def test_breaker(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("kiwify")
    drill = Drill(pipeline, alarm="breaker-open")
    orders = []

    def sell(_: int) -> None:
        orders.append(gateway.order())
        must_accept(orders[-1].deliver(), "a sale must be accepted while the breaker is open")

    pipeline.meta.arm("brown_out", strikes=None)
    drill.injected("Meta answers every call for one pixel with an error")
    opened_s = drill.breaker_opens(sell)
    # When / Then
    drill.paged(true_at_s=opened_s + LIMIT_S, each=sell)
    assert pipeline.tenant.tenant in drill.look(), "the runbook must show the tenant whose breaker is open"
    drill.mitigate("hold")
    before = len(pipeline.meta.probe.calls())
    drill.minutes(5, each=sell)
    asked = len(pipeline.meta.probe.calls()) - before
    pipeline.note(f"In five minutes on hold Meta was asked {asked} times; {len(orders)} sales were accepted by then.")
    pipeline.meta.disarm()
    drill.mended("Meta takes this pixel again")
    drill.undo("hold")
    drill.recovered(within_min=6, each=sell)
    drill.minutes(6)  # what was refused meanwhile waits up to five minutes for its next try
    drill.all_counted(orders)
