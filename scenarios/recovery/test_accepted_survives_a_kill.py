"""R-04  What was accepted survives a crash in the very next moment.

Given  a web process that has just accepted a sale
When   it is killed with `kill -9` at once, and started again, and the vendor, who has its answer, never delivers again
Then   Meta counts the sale, once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-04", proves=("gateway/persisted",))
@pytest.mark.each_gateway(rather="vendor")
@pytest.mark.exclusive
def test_accepted_survives_a_kill(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    answer = order.deliver()
    # When
    try:
        pipeline.target.kill("web")
    finally:
        pipeline.target.start("web")
    # Then
    must_accept(answer)
    pipeline.meta.wait_until_counted(order)
