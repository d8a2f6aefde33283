"""P-11  What Meta would not take and was erased meanwhile does not come back out of the dead letters.

Given  an order that ended in the dead letters
When   its buyer is erased, Meta takes everything again, and the operator redrives
Then   Meta does not hear of the order again
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-11", proves=("constraint/lgpd",))
@pytest.mark.exclusive  # a redrive takes everybody's dead letters
def test_dead_letters_are_erased_too(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("erase_person", "redrive")
    order = pipeline.gateway(like="stripe", can=("email",)).order()
    pipeline.meta.arm("one_event_refused", strikes=None, order_id=order.sale_id)
    order.deliver()
    pipeline.database.wait_for_state(order, "dead_lettered")
    heard = len(pipeline.meta.events_about(order))
    # When
    pipeline.target.act("erase_person", tenant=pipeline.tenant.tenant, email=order.order.buyer.email)
    pipeline.meta.disarm()
    pipeline.target.redrive()
    # Then
    pipeline.a_later_order_arrives()
    assert len(pipeline.meta.events_about(order)) == heard, "an erased order must not come out of the dead letters"
    pipeline.database.wait_for_state(order, "suppressed")
    assert not pipeline.database.knows(order), "nothing of an erased person may be left"
