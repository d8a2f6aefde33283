"""G-31  Each cycle of a subscription is one sale, by however many messages it is told.

Given  a buyer who subscribes, and is charged again
When   the vendor tells both cycles in all its words: order, charge, invoice, subscription, renewal
Then   Meta counts two sales, each with its own value
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline, must_accept

SUBSCRIBED = (
    "checkout_subscribed", "invoice_created", "invoice_finalized", "charge_succeeded", "subscribed", "invoice_paid",
    "invoice_payment_succeeded", "subscription_created",
)  # fmt: skip
RENEWED = (
    "invoice_created", "invoice_finalized", "renewed", "renewed_approved", "charge_succeeded", "invoice_paid",
    "invoice_payment_succeeded", "subscription_updated",
)  # fmt: skip


@pytest.mark.scenario("G-31", proves=("gateway/normalised", "gateway/idempotent"))
@pytest.mark.each_gateway(dialects=("vendor",))
def test_each_cycle_is_one_sale(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    if not {*SUBSCRIBED, *RENEWED} & {*gateway.events()}:
        pipeline.not_applicable(f"{gateway.name} is known to tell of no cycle in words of its own")
    first = gateway.order(cycle=1, amount=Decimal(100))
    second = gateway.order(cycle=2, amount=Decimal(200), buyer=first.order.buyer, product_id=first.order.product_id)
    # When
    for order, events in ((first, SUBSCRIBED), (second, RENEWED)):
        for event in (one for one in events if one in gateway.events()):
            answer = order.deliver(event)
            must_accept(answer, f"{event} must be accepted")
    # Then
    pipeline.meta.wait_for_events(first, count=2, verdict="counted")
    pipeline.a_later_order_arrives()
    values = sorted(Decimal(str(one["custom_data"]["value"])) for one in pipeline.meta.counted_events(first))
    assert values == [100, 200], (
        f"Meta must count each cycle once, 100 and 200; it counted {', '.join(map(str, values))}"
    )
