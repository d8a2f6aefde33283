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
@pytest.mark.any_gateway(like=("kiwify",), dialect="vendor")
@pytest.mark.exclusive
def test_database_cut_in_mid_commit(pipeline: Pipeline) -> None:
    # Given
    pipeline.network.must_have("database")
    breaks: list[tuple[str, dict[str, int]]] = [("limit_data", {"bytes": cut}) for cut in CUTS]
    breaks.append(("reset_peer", {"timeout": 20}))
    orders, refused = [], 0
    # When
    for toxic, attributes in breaks:
        order = pipeline.gateway().order()
        with pipeline.network.break_all("database", toxic, attributes):
            answer = order.deliver()
        if not answer.accepted:  # what was accepted is never delivered again: it must have been stored
            refused += 1
            _deliver_until_accepted(pipeline, order)
        orders.append(order)
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    pipeline.note(f"{refused} of {len(orders)} sales were broken off in the database; all were counted once")


def _deliver_until_accepted(pipeline: Pipeline, order: PlacedOrder) -> None:
    wait_until(
        order.deliver,
        lambda answer: answer.accepted,
        goal=f"sale {order.sale_id} accepted after the database is back",
        within_s=pipeline.timings.start_s,
    )
