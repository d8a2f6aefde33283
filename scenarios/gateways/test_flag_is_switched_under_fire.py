"""G-47  A flag that is switched while webhooks arrive loses none of them, and forgets none on hold.

Given  a gateway through which orders come in one after the other
When   an operator puts it on hold and on again, twice, meanwhile
Then   every webhook is answered with 202, and in the end Meta has counted every order once
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from harness.testing import Pipeline, PlacedOrder, wait_until

#: So many webhooks are answered between two switches, however fast the target's action is.
BETWEEN_SWITCHES = 10
#: More than this are not sent, however slow the action is.
MOST = 400


@pytest.mark.scenario("G-47", proves=("constraint/flags",))
def test_flag_is_switched_under_fire(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="hotmart")
    flag = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.must_be_able_to("set_flag")
    orders: list[PlacedOrder] = []
    statuses: list[int | None] = []
    switched = Event()

    def sell() -> None:
        while not switched.is_set() and len(orders) < MOST:
            order = gateway.order()
            orders.append(order)
            statuses.append(order.deliver().status)

    def more_come_in(when: str) -> None:
        enough = min(len(statuses) + BETWEEN_SWITCHES, MOST)
        wait_until(
            lambda: len(statuses),
            lambda count: count >= enough,
            goal=f"{BETWEEN_SWITCHES} orders {when}",
            within_s=pipeline.timings.dispatch_s,
        )

    # When
    with ThreadPoolExecutor(1) as pool:
        selling = pool.submit(sell)
        try:
            for state in ("hold", "on", "hold", "on"):
                pipeline.target.act("set_flag", **flag, flag=state)
                more_come_in(f"while the flag is {state}")
        finally:
            switched.set()
        selling.result()
    # Then
    assert set(statuses) == {202}, f"while a flag is switched, webhooks must be accepted; they were {set(statuses)}"
    pipeline.note(f"{len(orders)} orders came in while the flag was switched four times")
    for order in orders:
        pipeline.meta.wait_until_counted(order)
