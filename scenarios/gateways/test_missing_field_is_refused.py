"""G-15  A genuine body without the field that names the sale is refused as such.

Given  a rightly signed body in which the sale's own id is missing
When   it is delivered
Then   it is refused, and the answer names no personal data; nothing is stored and nothing is sent
"""

import pytest

from harness.testing import Pipeline, must_refuse


@pytest.mark.scenario("G-15", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_missing_field_is_refused(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    answer = order.deliver(webhook=order.without_sale_id())
    # Then
    must_refuse(answer, "missing_field", "a missing sale id must be refused")
    assert order.order.buyer.email not in answer.text, "nothing of what was sent may be repeated in an answer"
    pipeline.refused_means_refused(order)
