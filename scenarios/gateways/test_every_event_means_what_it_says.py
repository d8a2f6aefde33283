"""G-25  Every message that a vendor knows means what the vendor says it means.

Given  all that can happen to an order at this gateway
When   each is told of an order of its own; after what takes a sale back, wholly or in part, the purchase comes late
Then   each is accepted; what says that money came in is counted once, also when a part went back, and of all else Meta
       hears nothing
"""

import pytest

from harness.testing import Pipeline, PlacedOrder, must_accept


@pytest.mark.scenario("G-25", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_every_event_means_what_it_says(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    purchases: list[PlacedOrder] = []
    taken_back: list[PlacedOrder] = []
    ignored: list[PlacedOrder] = []
    for event, spec in gateway.events().items():
        # When
        order = gateway.order()
        answer = order.deliver(event)
        must_accept(answer, f"{event} must be accepted")
        if spec.outcome == "reversal":
            must_accept(order.deliver("approved"))
        # Then
        # A refund of a part takes no sale back.
        counts = spec.outcome == "purchase" or spec.partial
        kind = purchases if counts else taken_back if spec.outcome == "reversal" else ignored
        kind.append(order)
        pipeline.note(f"{event} ({spec.vendor_name}): {'part of a ' * spec.partial}{spec.outcome}")
    for order in purchases:
        pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()
    for order in taken_back:
        pipeline.database.wait_for_state(order, "suppressed")
    for order in (*taken_back, *ignored):
        pipeline.meta.seen_nothing_of(order)
    for order in purchases:
        pipeline.meta.must_count_once(order)
