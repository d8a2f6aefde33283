"""D-32  An event that Meta will never take does not drag its batch along.

Given  orders that wait together for a new token, and a Meta that refuses whatever stands in a request with one of them
When   the token is renewed, so that they are sent together
Then   all the others are counted, and that one ends in the dead letters; once Meta takes it, a redrive brings it there
"""

import pytest

from harness.testing import Pipeline
from harness.testing.answers import not_applicable

TRIES = 4
"""Whether a target sends them together is its own affair and the moment's: an event that always goes alone drags no
other along, and proves nothing."""


@pytest.mark.scenario("D-32", proves=("011.3/dlq",))
@pytest.mark.exclusive  # a redrive takes everybody's dead letters
def test_poison_in_a_batch(pipeline: Pipeline) -> None:
    pipeline.target.must_be_able_to("set_meta_token", "redrive")
    for _ in range(TRIES):
        if poisoned(pipeline) > 1:
            return
    not_applicable(f"{TRIES} times the target sent the bad event alone, so that it could drag no other along")


def poisoned(pipeline: Pipeline) -> int:
    """How many events stood in the largest request with the bad one, which dragged none of them along."""
    # Given
    gateway = pipeline.gateway(like="kiwify")
    orders = [gateway.order() for _ in range(8)]
    poison = orders[4]
    pipeline.meta.expire_token()
    try:
        for order in orders:
            order.deliver()
        for order in orders:
            pipeline.database.wait_for_state(order, "held")
        pipeline.meta.arm("one_event_refused", strikes=None, order_id=poison.sale_id)
    finally:
        # When
        pipeline.meta.renew_token()
    # Then
    pipeline.database.wait_for_state(poison, "dead_lettered")
    others = [one for one in orders if one is not poison]
    for order in others:
        pipeline.meta.wait_until_counted(order)
    together = max(len(one["call"]["events"]) for one in pipeline.meta.events_about(poison))
    pipeline.note(f"the bad event stood in a request of up to {together}")
    pipeline.meta.disarm()
    pipeline.target.redrive()
    pipeline.meta.wait_until_counted(poison)
    return together
