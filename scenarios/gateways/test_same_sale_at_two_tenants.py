"""G-27  The same sale id at two tenants is two sales.

Given  two tenants of one gateway, and a sale id that both happen to have
When   the sale is delivered at both, and another one is refunded at the first before both tell of it
Then   the one is counted at both, each on its own pixel under an id of its own; the other at the second tenant only
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-27", proves=("gateway/idempotent", "gateway/event-id"), tenants=2)
@pytest.mark.each_gateway
def test_same_sale_at_two_tenants(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    theirs = pipeline.gateway(gateway.name, tenant=pipeline.other_tenant)
    order, meta_there = gateway.order(), pipeline.meta_of(pipeline.other_tenant)
    twin = order.at(theirs)
    # When
    order.deliver()
    twin.deliver()
    # Then
    here, there = pipeline.meta.wait_until_counted(order), meta_there.wait_until_counted(twin)
    assert here["event_id"] != there["event_id"], "two tenants' sales must not share an event id"
    if "refunded" not in gateway.events():
        pipeline.note(f"{gateway.name} ({gateway.dialect}) has no refund")
        return
    refunded = gateway.order()
    bought = refunded.at(theirs)
    must_accept(refunded.deliver("refunded"))
    refunded.deliver()
    bought.deliver()
    meta_there.wait_until_counted(bought)
    pipeline.database.wait_for_state(refunded, "suppressed")
    pipeline.nothing_is_sent_about(refunded)
