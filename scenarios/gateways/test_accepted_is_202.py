"""G-63  A genuine webhook is answered with 202, as the launch plan asks.

Given  a tenant whose gateway is configured
When   the gateway tells of one paid order
Then   the answer is 202, or the code that the target file declares; any other 2xx breaks no promise, for every vendor
       takes it, and the plan's row is not met
"""

import pytest

from harness.testing import Pipeline, PromiseBroken, must_accept


@pytest.mark.scenario("G-63", proves=("gateway/202",))
@pytest.mark.each_gateway
def test_accepted_is_202(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answer = order.deliver()
    # Then
    must_accept(answer)
    declared = answer.declared.accepted
    if declared is not None and answer.status != declared:
        raise PromiseBroken(f"[target.answers] declares accepted = {declared}; it was answered with {answer.said}")
    if answer.status != 202:
        said = f"the plan asks for 202; yours answers {answer.status}, which every vendor takes"
        pipeline.concern(said, row="gateway/202")
    pipeline.meta.wait_until_counted(order)
