"""R-78  The buyer's address and browser, sealed, are not kept for longer than Meta could want them.

Given  a sale that Meta refuses for good, so that it lies in the dead letters with its buyer's address, sealed
When   the days pass for which the target says that it keeps such an address
Then   nothing sealed is left; a day earlier it still was, for the sale might yet have been sent again
"""

import pytest

from harness.testing import TravellingPipeline

SEALED = "SELECT count(client_sealed) FROM conversions WHERE tenant_id = %(tenant)s"


@pytest.mark.scenario("R-78", proves=("constraint/lgpd",))
@pytest.mark.time_travel(day=640, days=20)
@pytest.mark.exclusive
def test_sealed_address_is_let_go(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, days = travelling_pipeline, travelling_pipeline.kept_days("client_days")
    pipeline.meta.arm("refusal", strikes=1, error="parameter")
    order = pipeline.gateway("perfectpay").order()
    order.deliver()
    pipeline.database.wait_for_state(order, "dead_lettered")
    assert pipeline.database.value(SEALED) == 1, "a dead letter keeps what it would need to be sent again"
    # When
    pipeline.travel(days=days - 1)
    assert pipeline.database.value(SEALED) == 1, f"and keeps it for {days:g} days"
    pipeline.travel(days=2)
    # Then
    pipeline.database.wait_for_value(SEALED, 0, goal=f"no sealed address left after {days:g} days")
