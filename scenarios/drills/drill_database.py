"""DR-06  Somebody sits on the database's connections; on-call ends them.

Given  a pipeline with a sale a minute, and another program that takes the database's connections and never
       gives them back
When   more than 80 % have been taken for five minutes
Then   on-call is paged; the runbook shows whose they are and ends them; no sale was lost or refused, and the page
       resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept

WINDOW_MIN, CULPRIT = 5, "nightly-report"


@pytest.mark.scenario("DR-06", proves=("011.5c/metric-connections", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=820, days=1)
@pytest.mark.exclusive
def test_database(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("stripe")
    drill = Drill(pipeline, alarm="database-connections", APPLICATION=CULPRIT)
    orders = []

    def sell(_: int) -> None:
        orders.append(gateway.order())
        must_accept(orders[-1].deliver(), "a sale must be accepted while the database is nearly full")

    with drill.connections_taken(percent=88, by=CULPRIT) as count:
        drill.injected(f"{CULPRIT} takes {count} of the database's connections and keeps them")
        # When / Then
        drill.paged(true_at_s=drill.alarms.now_s + 60 * WINDOW_MIN, each=sell)
        assert CULPRIT in drill.look(), "the runbook must show who sits on the connections"
        drill.mitigate()
        drill.recovered(within_min=3, each=sell)
    drill.all_counted(orders)
