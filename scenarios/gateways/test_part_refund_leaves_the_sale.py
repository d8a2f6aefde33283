"""G-32  What went back in part is still a sale; what went back altogether is none.

Given  two orders of which Meta has not heard yet
When   a part of either goes back, and another part; of the second all the rest, too; and then both payments are told
Then   Meta counts the first at its full value, and never hears of the second
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-32", proves=("gateway/normalised",))
@pytest.mark.each_gateway(dialects=("vendor",))
def test_part_refund_leaves_the_sale(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    if "partly_refunded" not in gateway.events():
        pipeline.not_applicable("nothing is known of partial refunds")
    kept, lost = gateway.order(amount=Decimal(90)), gateway.order()
    # When
    told = {
        kept: ("partly_refunded", "partly_refunded_again"),
        lost: ("partly_refunded", "partly_refunded_again", "refunded"),
    }
    for order, events in told.items():
        answers = [order.deliver(event) for event in (*events, "approved")]
        must_accept(answers, "every message must be accepted")
    # Then
    custom = pipeline.meta.wait_until_counted(kept)["custom_data"]
    assert Decimal(str(custom["value"])) == 90, f"Meta must be told 90, which was paid; it was told {custom['value']}"
    pipeline.database.wait_for_state(lost, "suppressed")
    pipeline.a_later_order_arrives()
    pipeline.meta.seen_nothing_of(lost)
    pipeline.meta.must_count_once(kept)
