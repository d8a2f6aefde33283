"""W-07  An account that was fine, and of which suddenly every webhook is refused, pages.

Given  an account with sales, and a vendor at whom somebody has rotated the secret without telling us
When   each of its webhooks is refused for its signature
Then   PagerDuty is told once, within five minutes; when we have been told the secret, the incident resolves
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, must_accept, must_refuse


@pytest.mark.scenario("W-07", proves=("011.5c/alerted", "011.5c/pagerduty"))
@pytest.mark.time_travel(day=756, days=1)
@pytest.mark.exclusive
def test_rotated_secret_pages(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="stripe")
    alarms = Alarms(pipeline)
    alarms.must_exist("tenant-signatures")
    must_accept(gateway.order().deliver())
    alarms.minutes(1)
    rotated = gateway.fake.new_secret("rotated by the vendor")
    orders = [gateway.order()]

    # When
    def deliver(_: int) -> None:
        answer = orders[-1].deliver(webhook=orders[-1].webhook(secret=rotated))
        must_refuse(answer, "bad_signature", "a secret that we do not know must be refused")

    # Then
    second_minute_s = alarms.now_s + 2 * 60 - 20
    alarms.until_paged("tenant-signatures", true_at_s=second_minute_s, each=deliver)
    alarms.nobody_is_paged(but=("tenant-signatures",))
    for order in orders:
        # the old secret, as if it had been given back
        must_accept(order.deliver())
    alarms.until_resolved("tenant-signatures", within_min=4)
