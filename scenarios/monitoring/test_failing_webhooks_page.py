"""W-04  Webhooks that we fail page; forgeries that strangers send do not, however many they are.

Given  an hour of thirty genuine sales, and a hundred forged ones from a stranger, all refused
When   the vendor changes its payload, and two genuine webhooks of thirty-two cannot be understood
Then   nobody was paged for the forgeries; for the two PagerDuty is told once, within five minutes; when ten more
       have gone well, so that it is less than a twentieth, the incident resolves by itself
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, must_accept, must_refuse

STRANGER = "127.0.0.77"


@pytest.mark.scenario("W-04", proves=("011.5c/alarm-success", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=754, days=1)
@pytest.mark.exclusive
def test_failing_webhooks_page(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="kiwify")
    alarms = Alarms(pipeline)
    alarms.must_exist("webhook-success")

    def sell(count: int) -> None:
        for _ in range(count):
            must_accept(gateway.order().deliver())

    def forge(_: int) -> None:
        forged = gateway.order().webhook(secret=gateway.fake.new_secret("somebody else"))
        query = forged.url.partition("?")[2]
        for _ in range(20):
            answer = pipeline.target.request(
                "POST",
                f"{gateway.path}?{query}" if query else gateway.path,
                body=forged.body,
                headers={"Content-Type": "application/json", **forged.headers},
                source=STRANGER,
            )
            must_refuse(answer, "bad_signature", "a forgery must be refused")

    sell(30)
    alarms.minutes(5, each=forge)
    alarms.nobody_is_paged()
    # When
    for _ in range(2):
        changed = gateway.order()
        answer = changed.deliver(webhook=changed.without_sale_id())
        must_refuse(answer, "missing_field", "a body without its sale's id must be refused")
    # Then
    alarms.until_paged("webhook-success", true_at_s=alarms.now_s)
    alarms.nobody_is_paged(but=("webhook-success",))
    sell(10)
    alarms.until_resolved("webhook-success", within_min=2)
