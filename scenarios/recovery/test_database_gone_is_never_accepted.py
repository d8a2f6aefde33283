"""R-50  With PostgreSQL gone nothing is accepted, and what was missed is counted once when it is delivered again.

Given  a PostgreSQL that was shut down
When   the vendor delivers, PostgreSQL is started again, and the vendor delivers again
Then   nothing was answered with 2xx meanwhile, the target said that it was not ready, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept, wait_until


@pytest.mark.scenario("R-50", proves=("gateway/persisted", "gateway/idempotent"), guards="202 without a commit")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_database_gone_is_never_accepted(pipeline: Pipeline) -> None:
    # Given
    gateway, ready = pipeline.gateway(), pipeline.info.target.paths.ready
    orders = [gateway.order() for _ in range(2)]  # each waits for a connection as long as the target lets it
    before = gateway.order()
    must_accept(before.deliver())
    with pipeline.fault("database.down"):
        # When
        answers = [order.deliver().status for order in orders]
        health = pipeline.target.request("GET", ready).status
    # Then
    accepted = [status for status in answers if status is not None and status < 300]
    assert not accepted, f"without a database nothing can be kept, and {len(accepted)} of {len(orders)} were accepted"
    assert health != 200, f"{ready} said 200 without a database"
    wait_until(
        lambda: pipeline.target.request("GET", ready).status,
        lambda status: status == 200,
        goal="the target ready again",
        within_s=pipeline.timings.start_s,
    )
    again = [order.deliver() for order in orders]
    must_accept(again, "with the database back they must be accepted")
    for order in (before, *orders):
        pipeline.meta.wait_until_counted(order)
    pipeline.settle()
