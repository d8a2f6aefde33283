"""R-31  A database connection that breaks in the middle of a sale, even of its commit, neither loses nor doubles it.

Given  a database whose connections break after so many bytes of its answers, from the first to beyond a whole sale's,
       and one whose connections are reset as soon as they answer
When   each sale is delivered once while they break, and again until it is accepted
Then   Meta counts each sale once, whether or not the broken try had been stored
"""

import pytest

from harness.testing import Pipeline, PlacedOrder, wait_until

#: Bytes of the database's answers after which its connections break: a sale's transaction answers in less than 2000.
CUTS = (1, 10, 30, 60, 100, 150, 200, 300, 400, 600, 800, 1200, 2000)


@pytest.mark.scenario("R-31", proves=("gateway/persisted", "gateway/idempotent"), guards="a commit without an answer")
@pytest.mark.each_gateway(only=("kiwify",), dialects=("vendor",))
@pytest.mark.exclusive
def test_database_cut_in_mid_commit(pipeline: Pipeline) -> None:
    # Given
    pipeline.network.must_have("database")
    orders, refused = [], 0
    # When
    for cut in CUTS:
        order = pipeline.gateway().order()
        with pipeline.network.arm("database", "limit_data", bytes=cut):
            refused += order.deliver().status != 202
        orders.append(order)
        _deliver_until_accepted(pipeline, order)
    order = pipeline.gateway().order()
    with pipeline.network.arm("database", "reset_peer", timeout=20):
        refused += order.deliver().status != 202
    orders.append(order)
    _deliver_until_accepted(pipeline, order)
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    assert refused, "no try was broken: the cuts are no test of this target"
    pipeline.note(f"{refused} of {len(orders)} sales were broken off in the database; all were counted once")


def _deliver_until_accepted(pipeline: Pipeline, order: PlacedOrder) -> None:
    wait_until(
        lambda: order.deliver().status,
        lambda status: status == 202,
        goal=f"sale {order.sale_id} accepted after the database is back",
        within_s=pipeline.timings.start_s,
    )
