"""DR-05  A gateway changes its payload; on-call switches it off, so that it keeps its sales until the fix is out.

Given  a gateway with an hour of good sales, which from now on sends bodies without the sale's id
When   more than a twentieth of the hour's webhooks cannot be understood
Then   on-call is paged; the runbook switches the gateway off: it is told to come again; with the fix it is switched on,
       every sale that it delivers again is counted once, and the page resolves
"""

import pytest

from harness.testing import Drill, TravellingPipeline, must_accept, must_refuse


@pytest.mark.scenario("DR-05", proves=("011.5c/alarm-success", "011.5c/pagerduty", "011.5c/alerted"))
@pytest.mark.time_travel(day=816, days=1)
@pytest.mark.exclusive
def test_gateway_breaks(monitored_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = monitored_pipeline, monitored_pipeline.gateway("kiwify")
    pipeline.target.must_be_able_to("set_flag")
    drill = Drill(pipeline, alarm="webhook-success", GATEWAY=gateway.name)
    orders = []

    def sell(count: int) -> None:
        for _ in range(count):
            orders.append(gateway.order())
            must_accept(orders[-1].deliver())

    sell(30)
    drill.injected("the gateway's payload has lost the sale's id: its webhooks are refused")
    # When
    waiting = []
    for _ in range(3):
        waiting.append(gateway.order())
        answer = waiting[-1].deliver(webhook=waiting[-1].without_sale_id())
        must_refuse(answer, "missing_field", "a body without its sale's id must be refused")
    # Then
    drill.paged(true_at_s=drill.alarms.now_s)
    assert gateway.name in drill.look(), "the runbook must show the gateway"
    drill.mitigate("off")
    for order in waiting:
        answer = order.deliver(webhook=order.without_sale_id())
        assert answer.status == 503, f"a gateway that is off must be told to come again; it was {answer.status}"
    drill.mended("the fix is deployed: the payload can be read")
    drill.undo("off")
    for order in waiting:
        must_accept(order.deliver())
    drill.recovered(within_min=12, each=lambda _: sell(5))
    drill.all_counted([*orders, *waiting])
