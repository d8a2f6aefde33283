"""G-14  A body that cannot be read is refused with a clear JSON error, never a crash.

Given  a signed body that is no JSON at all
When   it is delivered
Then   the answer is a 4xx with a JSON error, without a stack trace; nothing is stored
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-14", proves=("011.1/waf-malformed", "gateway/normalised"))
@pytest.mark.each_gateway
def test_malformed_body_is_refused(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answer = order.deliver(webhook=order.tampered("malformed_json"))
    # Then
    must_refuse(answer, "malformed", "a malformed body must be refused")
    assert "Traceback" not in answer.text, "no stack trace may leave the pipeline"
    pipeline.refused_means_refused(order)
