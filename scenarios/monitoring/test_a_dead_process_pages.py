"""W-05  A process that dies pages by its silence.

Given  a pipeline whose four processes are heard every minute
When   the one that sends to Meta is killed, and nothing starts it again
Then   PagerDuty is told once, within five minutes, and of nothing else; when it runs again the incident resolves
"""

import pytest

from harness.testing import Alarms, TravellingPipeline

SILENT_MIN = 3


@pytest.mark.scenario("W-05", proves=("011.5c/alerted", "011.5c/pagerduty"))
@pytest.mark.time_travel(day=760, days=1)
@pytest.mark.exclusive
def test_a_dead_process_pages(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline = monitored_pipeline
    alarms = Alarms(pipeline)
    alarms.must_exist("heartbeat-consumer")
    beats = {one["dimensions"]["Process"] for one in alarms.metric("Heartbeats")}
    assert beats == set(pipeline.info.target.start), f"every process must be heard; heard were {sorted(beats)}"
    # When
    pipeline.target.kill("consumer")
    died_s = alarms.now_s
    # Then
    alarms.until_paged("heartbeat-consumer", true_at_s=died_s + 60 * (SILENT_MIN - 1))
    alarms.nobody_is_paged(but=("heartbeat-consumer",))
    pipeline.target.start("consumer")
    alarms.until_resolved("heartbeat-consumer", within_min=3)
    pipeline.a_later_order_arrives()
