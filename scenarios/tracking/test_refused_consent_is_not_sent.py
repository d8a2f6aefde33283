"""T-03  Who has refused to be tracked is not told to Meta.

Given  a visitor who denied consent
When   they buy
Then   the sale is accepted and stored as suppressed, and Meta hears nothing
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-03", proves=("constraint/lgpd",))
@pytest.mark.each_gateway(rather="vendor", can=("click",))
def test_refused_consent_is_not_sent(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click(consent="denied")
    # When
    order = pipeline.gateway().order(click=click)
    must_accept(order.deliver())
    # Then
    pipeline.database.wait_for_state(order, "suppressed")
    pipeline.nothing_is_sent_about(order)
