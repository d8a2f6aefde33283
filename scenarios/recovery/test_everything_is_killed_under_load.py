"""R-22  Every process and the database are killed with `kill -9` under load, and nothing is lost or doubled.

Given  sales that keep coming
When   each of its processes, and then its database, is killed with `kill -9` in turn and started again, and the
       vendors deliver again what was not accepted
Then   Meta counts each sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-22", proves=("gateway/persisted", "gateway/idempotent"), guards="sales during a crash")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_everything_is_killed_under_load(pipeline: Pipeline) -> None:
    # Given
    roles = list(pipeline.info.target.start)
    with pipeline.traffic(per_s=20) as traffic:
        # When
        for role in roles:
            traffic.wait_for_more(10)
            pipeline.target.restart(role)
        traffic.wait_for_more(10)
        pipeline.target.crash_database()
        traffic.wait_for_more(20)
    refused = traffic.refused()
    for order in refused:
        answer = order.deliver()
        must_accept(answer, f"after the crash sale {order.sale_id} must be accepted")
    # Then
    pipeline.settle()
    pipeline.note(
        f"{', '.join(roles)} and the database killed in turn under {len(traffic.orders)} sales, "
        f"{len(refused)} of which had to be delivered again"
    )
