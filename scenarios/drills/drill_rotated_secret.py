"""DR-07  A vendor's secret was rotated without telling us; on-call gives us the new one.

Given  an account with sales, and a vendor at whom somebody has rotated the secret
When   every webhook of it is refused for its signature
Then   on-call is paged; with the new secret, given by the runbook, the vendor's repeats are accepted, and the page
       resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept, must_refuse


@pytest.mark.scenario("DR-07", proves=("011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=824, days=1)
@pytest.mark.exclusive
def test_rotated_secret(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("stripe")
    pipeline.target.must_be_able_to("rotate_secret")
    drill = Drill(pipeline, alarm="tenant-signatures", GATEWAY=gateway.name)
    first = gateway.order()
    must_accept(first.deliver())
    drill.minutes(1)
    rotated = gateway.fake.new_secret("rotated by the vendor")
    drill.injected("the vendor signs with a secret that nobody has told us")
    orders = []

    # When
    def refused(_: int) -> None:
        orders.append(gateway.order())
        answer = orders[-1].deliver(webhook=orders[-1].webhook(secret=rotated))
        must_refuse(answer, "bad_signature", "a secret that we do not know must be refused")

    # Then
    drill.paged(true_at_s=drill.alarms.now_s + 2 * 60 - 20, each=refused)
    assert pipeline.tenant.tenant in drill.look(), "the runbook must show the account"
    drill.mitigate(NEW_SECRET=rotated)
    for order in orders:
        answer = order.deliver(webhook=order.webhook(secret=rotated))
        must_accept(answer, "with the new secret it must be accepted")
    drill.recovered(within_min=4)
    drill.all_counted([first, *orders])
