"""W-08  A quiet launch day wakes nobody.

Given  a pipeline with all its alarms, and a launch day on which nothing is wrong
When   an hour and a quarter of it is lived minute by minute: a sale a minute, most of them from a click, some told
       twice, now and then a forgery, an order that Meta refuses, a slow answer
Then   PagerDuty was told nothing at all, and every alarm says OK
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, must_accept, must_refuse

MINUTES = 75
"""Longer than the longest window of any alarm, an hour."""


@pytest.mark.scenario("W-08", proves=("011.5c/false-positives",))
@pytest.mark.time_travel(day=762, days=1)
@pytest.mark.exclusive
def test_quiet_day_pages_nobody(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="stripe")
    alarms = Alarms(pipeline)
    alarms.until_all_are_ok(within_min=15)
    orders = []

    def ordinary(minute: int) -> None:
        order = gateway.order(click=None if minute % 5 == 0 else pipeline.click())
        orders.append(order)
        if minute % 30 == 11:
            pipeline.meta.arm("one_event_refused", strikes=None, order_id=order.sale_id)
        if minute % 20 == 7:
            pipeline.meta.arm("brown_out", strikes=1)
        must_accept(order.deliver(times=2 if minute % 10 == 3 else 1))
        if minute % 10 == 6:
            forged = gateway.order()
            answer = forged.deliver(webhook=forged.webhook(secret=gateway.fake.new_secret("somebody else")))
            must_refuse(answer, "bad_signature", "a forgery must be refused")

    # When
    alarms.minutes(MINUTES, each=ordinary)
    # Then
    alarms.keep_pictures()
    alarms.nobody_is_paged()
    ill = alarms.not_ok()
    assert ill == {}, f"every alarm must be OK at the end of a quiet hour; {ill}"
    pipeline.note(f"{MINUTES} minutes with {len(orders)} sales: {len(alarms.names)} alarms, no page.")
    pipeline.meta.disarm()
    alarms.minutes(6)  # what was tried in vain waits up to five minutes
    pipeline.settle()
    pipeline.dead_letters.purge()  # else they grow old until the next scenario, and page there
