"""R-21  Every process behind the front door is restarted under load, one by one, and nothing is lost or doubled.

Given  sales that keep coming
When   relay, consumer, scheduler and whatever else the target runs are stopped with SIGTERM and started again in turn
Then   each ended by itself, every sale was accepted, and Meta was sent each once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-21", proves=("constraint/zero-downtime",), guards="work in hand at a deployment")
@pytest.mark.any_gateway(like=("kiwify",), dialect="vendor")
@pytest.mark.exclusive
def test_restarted_one_by_one(pipeline: Pipeline) -> None:
    # Given
    behind = list(pipeline.info.target.start)[1:]
    with pipeline.traffic(per_s=20) as traffic:
        # When
        for role in behind:
            traffic.wait_for_more(10)
            pipeline.target.restart_gracefully(role)
        traffic.wait_for_more(10)
    # Then
    assert not traffic.not_accepted(), traffic.not_accepted()[0]
    pipeline.settle()
    for order in traffic.orders:
        pipeline.meta.must_count_once(order)
    pipeline.note(f"{', '.join(behind)} restarted in turn under {len(traffic.orders)} sales")
