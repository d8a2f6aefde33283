"""G-29  An order by which Meta could find nobody is not sent, and spoils no batch.

Given  an order whose webhook tells neither e-mail nor phone nor click
When   it is delivered among others
Then   it is accepted and stored as suppressed, Meta never sees it, and the others are counted at the first try
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-29", proves=("gateway/normalised", "011.3/dlq"))
@pytest.mark.each_gateway(only=("stripe",))
def test_unmatchable_order_spoils_no_batch(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    nobody = gateway.order(buyer={"email": "", "phone_e164": None})
    others = [gateway.order() for _ in range(4)]
    # When
    answers = [order.deliver() for order in (*others[:2], nobody, *others[2:])]
    # Then
    must_accept(answers, "every genuine webhook must be accepted")
    for order in others:
        pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(nobody, "suppressed")
    pipeline.meta.seen_nothing_of(nobody)
    refused = [call["code"] for call in pipeline.meta.probe.calls() if call["status"] != 200]
    assert not refused, f"Meta refused a batch for it: codes {refused}"
