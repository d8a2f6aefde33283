"""R-33  A slow database makes sales slow, never lost: they are accepted and counted once.

Given  a database whose every answer is 50 ± 20 ms late, and comes in pieces
When   sales are delivered
Then   each is accepted before a vendor gives up, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept

#: The least that any of the vendors waits for an answer.
PATIENCE_MS = 5000


@pytest.mark.scenario("R-33", proves=("gateway/persisted",), guards="a slow database")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_slow_database_still_accepts(pipeline: Pipeline) -> None:
    # Given
    orders = []
    with (
        pipeline.network.arm("database", "latency", latency=50, jitter=20),
        pipeline.network.arm("database", "slicer", average_size=100, size_variation=50),
    ):
        # When
        for _ in range(5):
            order = pipeline.gateway().order()
            answer = order.deliver()
            must_accept(answer, "a sale must be accepted while the database is slow")
            assert answer.took_ms < PATIENCE_MS, f"the answer took {answer.took_ms:.0f} ms; vendors have given up"
            orders.append(order)
        # Then
        for order in orders:
            pipeline.meta.wait_until_counted(order)
