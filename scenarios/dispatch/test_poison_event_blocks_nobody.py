"""D-06  One event that Meta will never take does not hold up the others.

Given  a Meta that refuses every batch in which one certain order stands
When   that order is accepted together with nine others
Then   the nine are counted, and the one ends in the dead letters with its reason
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("D-06", proves=("011.3/dlq",))
def test_poison_event_blocks_nobody(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway("stripe")
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
    assert pipeline.dead_letters.depth() >= 1, "what is called dead-lettered must stand in the dead-letter queue"
