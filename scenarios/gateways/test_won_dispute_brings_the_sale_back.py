"""G-36  A dispute that is won brings the sale back; one that is lost does not, nor does a refund beside it.

Given  sales that were disputed before they could be sent; one of them was refunded, too
When   the disputes end: won, the money given back, lost
Then   Meta counts those that were won, once, in whatever order it was told; and hears nothing of the others
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-36", proves=("gateway/normalised",))
@pytest.mark.each_gateway(only=("stripe",))
def test_won_dispute_brings_the_sale_back(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    won, given_back, early, lost, refunded = (gateway.order() for _ in range(5))
    told = {
        won: ("chargeback", "approved", "dispute_won", "dispute_funds_reinstated"),
        given_back: ("chargeback", "dispute_funds_withdrawn", "approved", "dispute_funds_reinstated"),
        # The end overtakes the beginning, and the purchase comes last.
        early: ("dispute_won", "chargeback", "dispute_funds_withdrawn", "approved"),
        lost: ("chargeback", "approved", "dispute_lost"),
        refunded: ("refunded", "chargeback", "approved", "dispute_won"),
    }
    # When
    for order, events in told.items():
        answers = [order.deliver(event) for event in events]
        must_accept(answers, "every message must be accepted")
    # Then
    for order in (won, given_back, early):
        pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()
    for order in (lost, refunded):
        pipeline.database.wait_for_state(order, "suppressed")
        pipeline.meta.seen_nothing_of(order)
    for order in (won, given_back, early):
        pipeline.meta.must_count_once(order)
