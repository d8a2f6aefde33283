"""G-33  What is added to an order is a sale of its own.

Given  an order, and another one that the buyer added to it at the checkout
When   the vendor tells both, the second with whatever link to the first it has
Then   Meta counts two sales, each with its own value
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-33", proves=("gateway/normalised",))
@pytest.mark.each_gateway(dialects=("vendor",))
def test_order_bump_is_a_sale_of_its_own(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    if "order_bump" not in gateway.events():
        pipeline.not_applicable("there are no order bumps")
    main = gateway.order(amount=Decimal(100))
    bump = gateway.order(amount=Decimal(20), buyer=main.order.buyer, parent_key=main.order.key)
    # When
    answers = [bump.deliver("order_bump"), main.deliver()]
    # Then
    must_accept(answers, "both must be accepted")
    pipeline.meta.wait_for_events(main, count=2, verdict="counted")
    pipeline.a_later_order_arrives()
    values = sorted(Decimal(str(one["custom_data"]["value"])) for one in pipeline.meta.counted_events(main))
    assert values == [20, 100], f"Meta must count both once, 20 and 100; it counted {', '.join(map(str, values))}"
