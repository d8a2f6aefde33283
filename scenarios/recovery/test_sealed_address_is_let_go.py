"""R-78  The buyer's address and browser, sealed, are not kept for longer than Meta could want them, and not shorter.

Given  two sales, two days apart, that Meta refuses for good: they lie in the dead letters with their buyers' addresses
When   the days pass for which the target says that it keeps such an address, and one more
Then   nothing sealed is left of the first; of the second it is, for it might yet be sent again
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
    gateway = pipeline.gateway(like="perfectpay", can=("address",))
    for number in (1, 2):
        if number == 2:
            pipeline.travel(days=2)
        pipeline.meta.arm("refusal", strikes=1, error="parameter")
        order = gateway.order()
        order.deliver()
        pipeline.database.wait_for_state(order, "dead_lettered")
        assert pipeline.database.value(SEALED) == number, "a dead letter keeps what it would need to be sent again"
    # When
    pipeline.travel(days=days - 1)
    # Then
    goal = f"of two sealed addresses one is left: the other is older than {days:g} days"
    pipeline.database.wait_for_value(SEALED, 1, goal=goal)
