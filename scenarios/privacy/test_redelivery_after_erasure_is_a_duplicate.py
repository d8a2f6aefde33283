"""P-07  After an erasure the vendor's next delivery brings nothing back.

Given  a buyer whose purchase was counted, and who was erased
When   the vendor delivers the same sale again
Then   it is accepted, the buyer is still unknown, and Meta has counted the sale once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("P-07", proves=("constraint/lgpd", "gateway/idempotent"))
@pytest.mark.each_gateway(rather="vendor", can=("email",))
def test_redelivery_after_erasure_is_a_duplicate(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("erase_person")
    order = pipeline.gateway().order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
    buyer = order.order.buyer
    pipeline.target.act("erase_person", tenant=pipeline.tenant.tenant, email=buyer.email, phone=buyer.phone_e164)
    # When
    answer = order.deliver()
    # Then
    must_accept(answer, "a genuine delivery must be accepted, again too")
    pipeline.a_later_order_arrives()
    assert not pipeline.database.knows(order), "a delivery after the erasure must bring nothing back"
    assert pipeline.meta.counted(order) == 1, "a sale is counted once, erased or not"
