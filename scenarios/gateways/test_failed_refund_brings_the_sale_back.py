"""G-35  A refund that fails brings the sale back, by whatever message that is told.

Given  sales that were paid back before they could be sent, and are suppressed
When   the refunds turn out to have failed: each is told in another way, and twice
Then   Meta counts each of these sales, once; whose buyer was erased meanwhile, or has refused, stays unsent; so does
       what was charged back as well
"""

import pytest

from harness.testing import Click, Pipeline, PlacedOrder, must_accept

WAYS = ("refund_failed", "refund_failed_update", "charge_refund_failed", "refund_canceled")


@pytest.mark.scenario("G-35", proves=("gateway/normalised", "constraint/lgpd"))
@pytest.mark.each_gateway(only=("stripe",))
def test_failed_refund_brings_the_sale_back(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("erase_person")

    def paid_back(click: Click | None = None) -> PlacedOrder:
        order = pipeline.gateway().order(click=click)
        answers = [order.deliver(event) for event in ("refunded", "approved")]
        must_accept(answers, "genuine messages must be accepted")
        pipeline.database.wait_for_state(order, "suppressed")
        return order

    kept = {way: paid_back() for way in WAYS}
    click = pipeline.click(consent="granted")
    refused, erased, disputed = paid_back(click), paid_back(), paid_back()
    must_accept(disputed.deliver("chargeback"))
    pipeline.track("consent", {"click_id": click.click_id, "consent": "denied"})
    pipeline.target.act("erase_person", tenant=pipeline.tenant.tenant, email=erased.order.buyer.email)
    # When
    for way, order in (*kept.items(), *((WAYS[0], one) for one in (refused, erased, disputed))):
        for _ in range(2):
            answer = order.deliver(way)
            must_accept(answer, f"{way} must be accepted")
        pipeline.note(f"{way}: told twice")
    # Then
    for order in kept.values():
        pipeline.meta.wait_until_counted(order)
    pipeline.a_later_order_arrives()
    for order in (refused, erased, disputed):
        pipeline.database.wait_for_state(order, "suppressed")
        pipeline.meta.seen_nothing_of(order)
    for order in kept.values():
        pipeline.meta.must_count_once(order)
