"""G-10  A message that is no purchase is accepted and comes to nothing.

Given  an order that is pending, and one that was refused by the bank
When   the gateway tells of both
Then   each is answered with a 2xx, so that the vendor does not retry, and Meta hears of neither
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-10", proves=("gateway/normalised",))
@pytest.mark.each_gateway
@pytest.mark.parametrize("event", ["pending", "refused"])
def test_non_purchase_is_ignored(pipeline: Pipeline, event: str) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    if event not in gateway.events():
        pipeline.not_applicable(f"there is no {event}")
    # When
    answer = order.deliver(event)
    # Then
    must_accept(answer, f"{event} must be accepted")
    pipeline.nothing_is_sent_about(order)
