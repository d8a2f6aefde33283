"""D-06  One event that Meta will never take does not hold up the others.

Given  a Meta that refuses every batch in which one certain order stands
When   that order is accepted together with nine others
Then   the nine are counted, and the one ends in the dead letters, by its id and with its reason; once Meta takes it,
       the operator's redrive brings it there, and it is counted once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-06", proves=("011.3/dlq",))
@pytest.mark.exclusive  # a redrive takes everybody's dead letters
def test_poison_event_blocks_nobody(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe")
    poison = gateway.order()
    others = [gateway.order() for _ in range(9)]
    pipeline.meta.arm("one_event_refused", strikes=None, order_id=poison.sale_id)
    # When
    for order in (*others[:4], poison, *others[4:]):
        order.deliver()
    # Then
    for order in others:
        pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(poison, "dead_lettered")
    dead = pipeline.database.value(
        "SELECT id::text FROM conversions WHERE tenant_id = %(tenant)s AND state = 'dead_lettered'"
    )
    letters = [one for one in pipeline.dead_letters.bodies() if one.startswith(dead)]
    assert letters, "what is called dead-lettered must stand in the dead-letter queue, by its id"
    assert letters[0].removeprefix(dead).strip(), "a dead letter must say why, in an attribute"
    pipeline.meta.disarm()
    pipeline.target.redrive()
    pipeline.meta.wait_until_counted(poison)
