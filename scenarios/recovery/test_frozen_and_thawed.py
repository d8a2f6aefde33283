"""R-52  A process that freezes and goes on, as a machine under pressure does, loses and doubles nothing.

Given  sales that keep coming
When   each process is frozen (SIGSTOP) for the time of some sales, and goes on
Then   what was not accepted is accepted when it is delivered again, and Meta counts each sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-52", proves=("gateway/idempotent",), guards="a frozen process")
@pytest.mark.any_gateway(like=("hotmart",), dialect="vendor")
@pytest.mark.exclusive
def test_frozen_and_thawed(pipeline: Pipeline) -> None:
    # Given
    roles = list(pipeline.info.target.start)
    with pipeline.traffic(per_s=20) as traffic:
        for role in roles:
            traffic.wait_for_more(5)
            # When
            with pipeline.fault("process.pause", role=role):
                traffic.wait_for_more(20)
        traffic.wait_for_more(5)
    # Then
    refused = traffic.refused()
    for order in refused:
        answer = order.deliver()
        must_accept(answer, f"afterwards sale {order.sale_id} must be accepted")
    pipeline.settle()
    pipeline.note(f"{', '.join(roles)} frozen in turn; {len(traffic.orders)} sales, {len(refused)} delivered again")
