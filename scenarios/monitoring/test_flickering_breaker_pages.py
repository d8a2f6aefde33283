"""W-02  A breaker that has not been closed for three minutes pages, also while it flickers.

Given  a Meta that fails every call, and a breaker that has opened
When   minutes pass in which it goes from open to half-open and back with every probe
Then   PagerDuty is told once, within five minutes of the third; when Meta is well the incident resolves by itself
"""

import pytest

from harness.testing import Alarms, TravellingPipeline, wait_until

LIMIT_S = 180


@pytest.mark.scenario(
    "W-02", proves=("011.5c/alarm-breaker", "011.5c/pagerduty", "011.5c/alerted", "011.5c/metric-breaker")
)
@pytest.mark.time_travel(day=750, days=1)
@pytest.mark.exclusive
def test_flickering_breaker_pages(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway(like="kiwify")
    alarms = Alarms(pipeline)
    alarms.must_exist("breaker-open")
    pipeline.meta.arm("brown_out", strikes=None)
    orders = [gateway.order() for _ in range(pipeline.timings.breaker_threshold)]
    for number, order in enumerate(orders, 1):
        order.deliver()
        pipeline.meta.wait_for_calls(number)  # one failure each: together they might share a call
    pipeline.wait_until_breaker("open")
    closed_s = pipeline.now_s()
    # When
    asked = [len(pipeline.meta.probe.calls())]

    def probe(_: int) -> None:
        """In each minute but the first the breaker tries, and opens again."""
        if pipeline.now_s() - closed_s > pipeline.timings.breaker_reset_s:
            pipeline.meta.wait_for_calls(asked[-1] + 1)
            pipeline.wait_until_breaker("open")
        asked.append(len(pipeline.meta.probe.calls()))

    # Then
    alarms.until_paged("breaker-open", true_at_s=closed_s + LIMIT_S, each=probe)
    probes = asked[-1] - asked[0]
    assert probes >= 2, f"the breaker must have flickered; it probed {probes} times"
    alarms.nobody_is_paged(but=("breaker-open",))
    pipeline.meta.disarm()
    alarms.until_resolved("breaker-open", within_min=5)
    alarms.minutes(6)  # what was refused in the meantime waits for its next try
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    wait_until(pipeline.breaker, lambda seen: seen == "closed", goal="the breaker closed", within_s=10)
