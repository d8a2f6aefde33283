"""W-03  A token that ends in less than a day pages while there is still a day to mend it.

Given  a tenant whose token has a day and five minutes to live, and a renewal that is not due before it ends
When   those five minutes have passed
Then   PagerDuty is told once, within five more; when a person has given the tenant a new token, the incident resolves
"""

import pytest

from harness.testing import Alarms, TravellingPipeline

DAY_S = 86_400
LEAD_S = 300


@pytest.mark.scenario("W-03", proves=("011.5c/alarm-token", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=752, days=1)
@pytest.mark.exclusive
def test_token_about_to_end_pages(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = monitored_pipeline
    pipeline.target.must_be_able_to("set_meta_token")
    alarms = Alarms(pipeline)
    alarms.must_exist("token-expiry")
    true_at_s = int(pipeline.now_s()) + LEAD_S
    pipeline.meta.limit_token(lives_s=DAY_S + LEAD_S)
    try:
        # When / Then
        alarms.until_paged("token-expiry", true_at_s=true_at_s)
        alarms.nobody_is_paged(but=("token-expiry",))
    finally:
        pipeline.meta.renew_token()  # else it pages in every scenario that comes after
    alarms.until_resolved("token-expiry", within_min=2)
    pipeline.a_later_order_arrives()
