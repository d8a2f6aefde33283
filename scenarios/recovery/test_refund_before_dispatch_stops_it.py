"""G-26  A sale that is paid back before it was sent is not sent, and no other tenant's is stopped.

Given  a relay that was killed with `kill -9`, and the same sale accepted at two tenants
When   the first tenant's is refunded (or charged back), and the relay is started again
Then   Meta never hears of the first, and counts the second
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-26", proves=("gateway/normalised",), tenants=2)
@pytest.mark.any_gateway(like=("stripe",), can=("refunded", "chargeback"))
@pytest.mark.exclusive
def test_refund_before_dispatch_stops_it(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    theirs = pipeline.gateway(gateway.name, tenant=pipeline.other_tenant)
    refunded, disputed = gateway.order(), gateway.order()
    kept = refunded.at(theirs)
    pipeline.target.kill("relay")
    try:
        answers = [order.deliver() for order in (refunded, disputed, kept)]
        # When
        answers += [refunded.deliver("refunded"), disputed.deliver("chargeback")]
    finally:
        pipeline.target.start("relay")
    # Then
    must_accept(answers, "without the relay webhooks must still be accepted")
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(kept)
    for order in (refunded, disputed):
        pipeline.database.wait_for_state(order, "suppressed")
        pipeline.nothing_is_sent_about(order)
