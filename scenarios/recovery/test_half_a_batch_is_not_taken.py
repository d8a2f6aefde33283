"""R-41  What SQS does not take of a batch is sent again: a 200 with failures inside loses nothing.

Given  an SQS that answers SendMessageBatch with 200 and lists some of the entries as failed
When   sales keep coming
Then   each was accepted, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-41", proves=("011.3/retry",), guards="partial failures of SendMessageBatch")
@pytest.mark.exclusive
def test_half_a_batch_is_not_taken(pipeline: Pipeline) -> None:
    # Given
    with (
        pipeline.fault("aws.partial_send", share=0.5, probability=0.7) as fault,
        # When
        pipeline.traffic(per_s=30, gateway=pipeline.gateway(like="hotmart")) as traffic,
    ):
        traffic.wait_for_more(60)
    struck = fault.must_have_struck()
    # Then
    assert not traffic.not_accepted(), traffic.not_accepted()[0]
    pipeline.settle()
    pipeline.note(f"{struck} batches failed in part; {len(traffic.orders)} sales, each counted once")
