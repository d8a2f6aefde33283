"""R-47  A throttled SQS loses nothing and slows no webhook down to an error.

Given  an SQS that answers every call with ThrottlingException for a while, and then two of three
When   sales keep coming
Then   each was accepted, and Meta counts each once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-47", proves=("011.3/retry",), guards="throttling by AWS")
@pytest.mark.exclusive
def test_queue_is_throttled(pipeline: Pipeline) -> None:
    # Given, when
    with pipeline.traffic(per_s=20, gateway=pipeline.gateway(like="perfectpay")) as traffic:
        with pipeline.fault("aws.throttling", service="sqs") as all_of_them:
            # Until the target's SDK has given up, however often it tries on its own: what it held then is the question.
            traffic.wait_for_more(60)
        with pipeline.fault("aws.throttling", service="sqs", probability=0.66) as most_of_them:
            traffic.wait_for_more(40)
    struck = all_of_them.must_have_struck() + most_of_them.must_have_struck()
    # Then
    assert not traffic.not_accepted(), traffic.not_accepted()[0]
    pipeline.settle()
    pipeline.note(f"SQS refused {struck} calls; {len(traffic.orders)} sales, each counted once")
