"""R-51  With a PostgreSQL that takes no writes nothing is accepted, and what was missed is counted once afterwards.

Given  a PostgreSQL that is read-only, as after a failover or on a full disk
When   the vendor delivers, PostgreSQL takes writes again, and the vendor delivers again
Then   nothing was answered with 2xx meanwhile, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-51", proves=("gateway/persisted", "gateway/idempotent"), guards="202 without a commit")
@pytest.mark.any_gateway(like=("kiwify",), dialect="vendor")
@pytest.mark.exclusive
def test_database_read_only_is_never_accepted(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    pipeline.a_later_order_arrives()
    orders = [gateway.order() for _ in range(5)]
    with pipeline.fault("database.read_only"):
        # When
        answers = [order.deliver().status for order in orders]
    # Then
    accepted = [status for status in answers if status is not None and status < 300]
    assert not accepted, f"nothing can be kept in a read-only database, and {len(accepted)} of 5 were accepted"
    refused_for_good = [status for status in answers if status is not None and 400 <= status < 500]
    assert not refused_for_good, f"the vendor did nothing wrong, and was told {refused_for_good[0]}"
    again = [order.deliver() for order in orders]
    must_accept(again, "with the database writable they must be accepted")
    for order in orders:
        pipeline.meta.wait_until_counted(order)
