"""P-02  No answer repeats what was in the request.

Given  a webhook with a buyer's data that is refused for its signature, and one that is refused for its schema
When   both are answered
Then   neither answer holds the e-mail, the phone or the name, however spelt, nor the tenant's secret
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-02", proves=("constraint/lgpd",))
@pytest.mark.each_gateway
def test_answers_leak_nothing(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    order = gateway.order()
    forged = order.webhook(secret=gateway.fake.new_secret("somebody else"))
    # When
    answers = [order.deliver(webhook=forged), order.deliver(webhook=order.without_sale_id())]
    # Then
    for answer in answers:
        assert answer.refused, "it must be refused"
        for canary in order.canaries():
            assert not canary.stands_in(answer.text), f"the answer {answer.status} repeats the buyer's {canary.kind}"
        assert gateway.account.secret not in answer.text, f"the answer {answer.status} tells the tenant's secret"
