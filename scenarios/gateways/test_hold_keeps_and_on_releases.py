"""G-40  A gateway on `hold` takes webhooks and sends nothing; `on` sends what was held.

Given  a tenant whose gateway an operator has put on hold, without a restart
When   an order is told of through it twice, one through another gateway, and then the flag is `on` again
Then   the first is accepted and kept, Meta hears of the other gateway alone, and after `on` it counts what was
       held, once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-40", proves=("constraint/flags",))
def test_hold_keeps_and_on_releases(pipeline: Pipeline) -> None:
    # Given
    held_gateway = pipeline.gateway(like="kiwify")
    other_gateway = pipeline.gateway(like="hotmart", besides=held_gateway)
    flag = {"tenant": pipeline.tenant.tenant, "gateway": held_gateway.name}
    pipeline.target.act("set_flag", **flag, flag="hold")
    held, other = held_gateway.order(), other_gateway.order()
    # When
    answers = [held.deliver(), held.deliver(), other.deliver()]
    # Then
    must_accept(answers, "on hold, webhooks must be accepted")
    pipeline.meta.wait_until_counted(other)
    pipeline.meta.seen_nothing_of(held)
    pipeline.database.wait_for_state(held, "held")
    pipeline.target.act("set_flag", **flag, flag="on")
    pipeline.meta.wait_until_counted(held)
    later = held_gateway.order()
    later.deliver()
    pipeline.meta.wait_until_counted(later)
    assert pipeline.meta.counted(held) == 1, "what was held must be counted once"
