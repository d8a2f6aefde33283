"""DR-02  A Meta token is about to end; on-call gives the tenant a new one.

Given  a tenant whose token has a day and five minutes to live, and a renewal that is not due before it ends
When   those five minutes have passed
Then   on-call is paged with a day in hand; a new token, given by the runbook, ends it, and no sale was even late
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept

DAY_S, LEAD_S = 86_400, 300


@pytest.mark.scenario("DR-02", proves=("011.5c/alarm-token", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=804, days=2)
@pytest.mark.exclusive
def test_token_expiry(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("stripe")
    pipeline.target.must_be_able_to("set_meta_token")
    drill = Drill(pipeline, alarm="token-expiry")
    orders = []

    def sell(_: int) -> None:
        orders.append(gateway.order())
        must_accept(orders[-1].deliver())

    drill.injected("the tenant's token has 24 h and 5 min left, and nothing renews it")
    true_at_s = int(pipeline.now_s()) + LEAD_S
    pipeline.meta.limit_token(lives_s=DAY_S + LEAD_S)
    # When / Then
    drill.paged(true_at_s=true_at_s, each=sell)
    assert pipeline.tenant.tenant in drill.look(), "the runbook must show the tenant whose token ends"
    drill.mitigate(NEW_TOKEN=pipeline.meta.issue_token())
    drill.recovered(within_min=3, each=sell)
    drill.all_counted(orders)
