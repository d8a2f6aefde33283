"""R-53  A process that is asked to end in mid-work ends by itself, and what it had in hand is neither lost nor doubled.

Given  sales that keep coming, and a Meta that is slow to answer
When   each process is sent SIGTERM while it works, and is started again once it has ended
Then   each ended by itself, what was not accepted is accepted when it is delivered again, and Meta counts each
       sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-53", proves=("constraint/zero-downtime", "gateway/idempotent"), guards="SIGTERM in mid-work")
@pytest.mark.any_gateway(like=("perfectpay",), dialect="vendor")
@pytest.mark.exclusive
def test_asked_to_end_in_mid_work(pipeline: Pipeline) -> None:
    # Given
    roles = list(pipeline.info.target.start)
    pipeline.meta.arm("hang_after_work", hang_s=0.5)
    with pipeline.traffic(per_s=20) as traffic:
        for role in roles:
            traffic.wait_for_more(10)
            # When
            with pipeline.fault("process.terminate", role=role):
                traffic.wait_for_more(5)
        traffic.wait_for_more(10)
    pipeline.meta.disarm()
    # Then
    refused = traffic.refused()
    for order in refused:
        answer = order.deliver()
        must_accept(answer, f"afterwards sale {order.sale_id} must be accepted")
    pipeline.settle()
    pipeline.note(f"{', '.join(roles)} ended in turn; {len(traffic.orders)} sales, {len(refused)} delivered again")
