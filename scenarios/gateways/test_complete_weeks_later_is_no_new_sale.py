"""G-21  The end of the guarantee is not a second sale.

Given  a sale that Meta has counted
When   the vendor confirms the same transaction again after the guarantee (Hotmart's COMPLETE, PerfectPay's completed)
Then   it is accepted, and Meta hears nothing new
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-21", proves=("gateway/idempotent",))
@pytest.mark.each_gateway(only=("hotmart", "perfectpay"), dialects=("vendor",))
def test_complete_weeks_later_is_no_new_sale(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    order.deliver("approved")
    pipeline.meta.wait_until_counted(order)
    # When
    answer = order.deliver("complete" if gateway.name == "hotmart" else "completed")
    # Then
    must_accept(answer)
    pipeline.a_later_order_arrives()
    pipeline.meta.must_count_once(order)
