"""DR-01  Dead letters pile up; on-call redrives them.

Given  a pipeline in which Meta refuses every purchase for a wrong parameter
When   101 have become dead letters, and half an hour passes
Then   on-call is paged; once the cause is gone the runbook's redrive brings every sale to Meta, once, and the page
       resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline

LETTERS, WINDOW_MIN = 101, 30


@pytest.mark.scenario("DR-01", proves=("011.5c/alarm-dlq", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=800, days=2)
@pytest.mark.exclusive
def test_dlq(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("stripe")
    drill = Drill(pipeline, alarm="dlq-depth")
    pipeline.meta.arm("refusal", strikes=None, error="parameter")
    drill.injected(f"Meta refuses {LETTERS} purchases for a wrong parameter")
    # When
    orders = [gateway.order() for _ in range(LETTERS)]
    pipeline.deliver_until(orders, "dead_lettered")
    true_at_s = drill.alarms.now_s + 60 * WINDOW_MIN
    # Then
    drill.paged(true_at_s=true_at_s, also=("dispatch-success", "match-rate"))
    shown = drill.look()
    assert str(LETTERS) in shown, f"the runbook must show {LETTERS} dead letters"
    pipeline.meta.disarm()
    drill.mended("Meta takes the parameter again")
    drill.mitigate()
    pipeline.database.wait_for_all(orders, "delivered")
    drill.recovered(within_min=3)
    drill.all_counted(orders)
