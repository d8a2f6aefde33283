"""R-42  What SQS does not delete of a batch comes back, and is not counted again.

Given  an SQS that answers DeleteMessageBatch with 200 and lists some of the entries as failed
When   sales keep coming, and what was not deleted is seen again
Then   Meta counts each once
"""

import pytest

from harness.testing import Pipeline, wait_until


@pytest.mark.scenario("R-42", proves=("011.3/retry",), guards="partial failures of DeleteMessageBatch")
@pytest.mark.exclusive
def test_half_a_batch_is_not_deleted(pipeline: Pipeline) -> None:
    # Given
    with (
        pipeline.fault("aws.partial_delete", share=0.5, probability=0.7) as fault,
        # When
        pipeline.traffic(per_s=30, gateway=pipeline.gateway(like="kiwify")) as traffic,
    ):
        traffic.wait_for_more(60)
    struck = fault.must_have_struck()
    # Then
    assert not traffic.not_accepted(), traffic.not_accepted()[0]
    within_s = pipeline.timings.redelivery_s + pipeline.timings.dispatch_s
    wait_until(
        pipeline.queue.depth,
        lambda left: left == 0,
        goal="an empty queue: what stayed seen again",
        within_s=within_s,
    )
    pipeline.settle()
    pipeline.note(f"{struck} batches were deleted in part; {len(traffic.orders)} sales, each counted once")
