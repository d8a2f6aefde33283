"""R-43  A message that SQS delivers twice is one purchase.

Given  an SQS that delivers every message once more to whoever asks next
When   sales keep coming
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-43", proves=("011.3/retry",), guards="at-least-once delivery")
@pytest.mark.exclusive
def test_messages_come_twice(pipeline: Pipeline) -> None:
    # Given
    with (
        pipeline.fault("aws.duplicate_delivery") as fault,
        # When
        pipeline.traffic(per_s=30, gateway=pipeline.gateway(like="perfectpay")) as traffic,
    ):
        traffic.wait_for_more(60)
        pipeline.meta.wait_until_counted(traffic.orders[0])
    struck = fault.must_have_struck()
    # Then
    pipeline.settle()
    assert not traffic.not_accepted(), traffic.not_accepted()[0]
    twice = [order.sale_id for order in traffic.orders if pipeline.meta.counted(order) != 1]
    assert not twice, f"each sale must be counted once; not so: {twice[:5]}"
    pipeline.note(f"{struck} answers of SQS were delivered twice; {len(traffic.orders)} sales, each counted once")
