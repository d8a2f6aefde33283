"""G-47  A flag that is switched while webhooks arrive loses none of them, and forgets none on hold.

Given  a gateway through which orders come in one after the other
When   an operator puts it on hold and on again, twice, meanwhile
Then   every webhook is answered with 202, and in the end Meta has counted every order once
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from harness.testing import Pipeline, PlacedOrder


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
        while not switched.is_set() and len(orders) < 400:
            order = gateway.order()
            orders.append(order)
            statuses.append(order.deliver().status)

    # When
    with ThreadPoolExecutor(1) as pool:
        selling = pool.submit(sell)
        try:
            for state in ("hold", "on", "hold", "on"):
                pipeline.target.act("set_flag", **flag, flag=state)
        finally:
            switched.set()
        selling.result()
    # Then
    assert set(statuses) == {202}, f"while a flag is switched, webhooks must be accepted; they were {set(statuses)}"
    pipeline.note(f"{len(orders)} orders came in while the flag was switched four times")
    for order in orders:
        pipeline.meta.wait_until_counted(order)
