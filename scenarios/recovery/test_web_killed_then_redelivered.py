"""R-03  What the front door missed while it was down, the vendor delivers again, and it is counted once.

Given  a sale that was accepted, and a web process that is killed with `kill -9`
When   the vendor delivers another sale in vain, the web comes back, and both are delivered again
Then   Meta counts each once, the first under the event id that it had before
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-03", proves=("gateway/idempotent", "gateway/event-id"))
@pytest.mark.any_gateway(like=("kiwify",), dialect="vendor")
@pytest.mark.exclusive
def test_web_killed_then_redelivered(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    first, second = gateway.order(), gateway.order()
    first.deliver()
    before = pipeline.meta.wait_until_counted(first)
    pipeline.target.kill("web")
    # When
    try:
        missed = second.deliver()
    finally:
        pipeline.target.start("web")
    assert missed.status is None, "a dead front door answers nobody"
    must_accept(first.deliver())
    must_accept(second.deliver())
    # Then
    pipeline.meta.wait_until_counted(second)
    pipeline.settle()
    assert {one["event_id"] for one in pipeline.meta.events_about(first)} == {before["event_id"]}, (
        "every try must carry the same event id"
    )
