"""R-30  While the database is away nothing is accepted, and what the vendors deliver again is counted once.

Given  a target whose database cannot be reached any more
When   sales are delivered, and delivered again once it is back
Then   meanwhile no webhook is answered with 2xx and the target says that it is not ready; afterwards it is ready by
       itself, and Meta counts each sale once
"""

import pytest

from harness.testing import Pipeline, must_accept, wait_until


@pytest.mark.scenario("R-30", proves=("gateway/persisted", "gateway/idempotent"), guards="an outage of the database")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_database_away_accepts_nothing(pipeline: Pipeline) -> None:
    # Given
    pipeline.network.must_have("database")
    ready = pipeline.info.target.paths.ready
    orders = [pipeline.gateway().order() for _ in range(2)]  # each waits for a connection as long as the target lets it
    # When
    with pipeline.network.arm("database", "down"):
        for order in orders:
            answer = order.deliver()
            assert answer.status is None or answer.status >= 500, (
                f"a sale that cannot be stored was answered with {answer.status}; the vendor would not deliver it again"
            )
        said = pipeline.target.request("GET", ready).status
        assert said == 503, f"{ready} must answer 503 while the database is away; it answered {said}"
    wait_until(
        lambda: pipeline.target.request("GET", ready).status,
        lambda status: status == 200,
        goal=f"{ready} answering 200 after the database is back",
        within_s=pipeline.timings.start_s,
    )
    for order in orders:
        answer = order.deliver()
        must_accept(answer, f"after the outage sale {order.sale_id} must be accepted")
    # Then
    for order in orders:
        pipeline.meta.wait_until_counted(order)
    pipeline.note(f"{len(orders)} sales refused while the database was away, delivered again, each counted once")
