"""DR-08  The process that sends to Meta is dead; on-call starts it again.

Given  a pipeline with a sale a minute, whose consumer was killed and is started by nobody
When   it has been silent for three minutes
Then   on-call is paged; the runbook shows which process is silent and starts it; what waited goes out, once
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept

SILENT_MIN = 3


@pytest.mark.scenario("DR-08", proves=("011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=828, days=1)
@pytest.mark.exclusive
def test_dead_process(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("hotmart")
    drill = Drill(pipeline, alarm="heartbeat-consumer", PROCESS="consumer")
    orders = [gateway.order() for _ in range(5)]
    pipeline.target.kill("consumer")
    drill.injected("the consumer is killed, and nothing starts it again")
    # When / Then
    drill.paged(true_at_s=drill.alarms.now_s + 60 * (SILENT_MIN - 1))
    for order in orders:
        must_accept(order.deliver(), "a sale must be accepted while the consumer is dead")
    assert "consumer" in drill.look(), "the runbook must show the process"
    drill.mitigate(RESTART=drill.restart_command("consumer"))
    drill.recovered(within_min=4)
    drill.all_counted(orders)
