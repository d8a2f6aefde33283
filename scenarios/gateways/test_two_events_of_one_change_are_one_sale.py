"""G-30  Two Event objects for one change are one sale.

Given  a payment that succeeded, of which Stripe made two Event objects
When   both are delivered, each once
Then   both are accepted, and Meta counts the sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-30", proves=("011.4c/idempotent",))
@pytest.mark.each_gateway(only=("stripe",))
def test_two_events_of_one_change_are_one_sale(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answers = [order.deliver(event) for event in ("approved", "approved_twin")]
    # Then
    must_accept(answers, "both must be accepted")
    pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()
    pipeline.meta.must_count_once(order)
